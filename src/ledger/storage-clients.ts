import { TableClient, TableServiceClient } from '@azure/data-tables';
import { QueueServiceClient } from '@azure/storage-queue';
import { lazyAzureCredential } from '../identity/azure-credential';
import { asRequestPolicy, BoundedHttp } from './bounded-http';
import { StorageClock } from './storage-clock';
import { storageErrors } from './storage-error';

/** The setting that the Functions host itself uses for its storage. */
const STORAGE_SETTING = 'AzureWebJobsStorage';

/** Makes clients of the app's storage account. Those of tables throw StorageError where it cannot be used. */
export interface StorageClients {
  table(name: string): TableClient;
  readonly tables: TableServiceClient;
  readonly queues: QueueServiceClient;
  /** Its time, as far as it has answered. */
  readonly clock: StorageClock;
}

/**
 * Clients from the settings, as a connection string (`AzureWebJobsStorage`) or by identity
 * (`AzureWebJobsStorage__tableServiceUri`, `__queueServiceUri` or `__accountName`, optionally `__clientId`).
 * @throws Error when neither is set
 */
export function storageClients(settings: Readonly<Record<string, string | undefined>>): StorageClients {
  const clock = new StorageClock();
  // One for all clients: they share their connections.
  const http = new BoundedHttp(undefined, clock);
  const forQueues = { httpClient: asRequestPolicy(http) };
  const forTables = {
    httpClient: http,
    additionalPolicies: [{ policy: storageErrors, position: 'perCall' as const }],
  };
  const text = settings[STORAGE_SETTING];
  if (text) {
    const connection = text === 'UseDevelopmentStorage=true' ? DEVELOPMENT_STORAGE : text;
    const options = { ...forTables, allowInsecureConnection: true };
    return {
      clock,
      table: (name) => TableClient.fromConnectionString(connection, name, options),
      tables: TableServiceClient.fromConnectionString(connection, options),
      queues: QueueServiceClient.fromConnectionString(connection, forQueues),
    };
  }
  const account = settings[`${STORAGE_SETTING}__accountName`];
  const uri = (service: 'table' | 'queue') =>
    settings[`${STORAGE_SETTING}__${service}ServiceUri`] ??
    (account === undefined ? undefined : `https://${account}.${service}.core.windows.net`);
  const tableUri = uri('table');
  const queueUri = uri('queue');
  if (tableUri === undefined || queueUri === undefined) {
    throw new Error(
      `The app has no storage: set ${STORAGE_SETTING} to a connection string, or ${STORAGE_SETTING}__tableServiceUri and ${STORAGE_SETTING}__queueServiceUri.`,
    );
  }
  const clientId = settings[`${STORAGE_SETTING}__clientId`];
  const credential = lazyAzureCredential(clientId);
  return {
    clock,
    table: (name) => new TableClient(tableUri, name, credential, forTables),
    tables: new TableServiceClient(tableUri, credential, forTables),
    queues: new QueueServiceClient(queueUri, credential, forQueues),
  };
}

/** What UseDevelopmentStorage=true stands for: Azurite's own account, key and ports, public by design. */
const DEVELOPMENT_STORAGE =
  'DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;TableEndpoint=http://127.0.0.1:10002/devstoreaccount1;';
