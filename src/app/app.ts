import { createHash, randomBytes } from 'node:crypto';
import { FileStores } from '../files/file-stores';
import { Ledger } from '../ledger/ledger';
import { RangeQueue } from '../ledger/range-queue';
import { storageClients } from '../ledger/storage-clients';
import { ScheduleLedger } from '../ledger/schedule-ledger';
import { Connections } from '../redis/connections';
import { getTelemetry } from '../telemetry/start-telemetry';
import type { Telemetry } from '../telemetry/telemetry';
import { BytesInFlight } from '../transfer/bytes-in-flight';
import { FileTables } from '../transfer/file-tables';
import { Clocks } from '../transfer/clock-offset';
import { readAppSettings, type AppSettings } from './app-settings';
import { MigrationWatch } from './migration-watch';
import { Visits } from './visits';

/** What the functions of one process share. */
export interface App {
  readonly settings: AppSettings;
  readonly ledger: Ledger;
  readonly queue: RangeQueue;
  readonly schedules: ScheduleLedger;
  readonly connections: Connections;
  readonly clocks: Clocks;
  readonly files: FileStores;
  readonly fileTables: FileTables;
  readonly watch: MigrationWatch;
  readonly visits: Visits;
  readonly budget: BytesInFlight;
  readonly telemetry: Telemetry;
}

let current: App | undefined;

/** The process's app, made on first use from the environment. @throws Error that names the setting that is wrong or missing */
export function getApp(): App {
  if (current === undefined) {
    const settings = readAppSettings(process.env);
    const clients = storageClients(process.env);
    const ledger = new Ledger(clients);
    current = {
      settings,
      ledger,
      queue: new RangeQueue(clients),
      schedules: new ScheduleLedger(clients),
      connections: new Connections(process.env, clientName(clients.tables.url)),
      clocks: new Clocks(),
      files: new FileStores(process.env),
      fileTables: new FileTables(),
      watch: new MigrationWatch(ledger.migrations),
      visits: new Visits(),
      budget: new BytesInFlight(settings.bytesInFlight),
      telemetry: getTelemetry(),
    };
  }
  return current;
}

/** What its connections are called in CLIENT LIST: an app by its storage, whatever processes it has, and this process of it. */
function clientName(storage: string): string {
  const app = createHash('sha256').update(storage).digest('hex').slice(0, 6);
  return `keyferry-${app}-${randomBytes(3).toString('hex')}`;
}

/** Ends what the app holds open. The next `getApp` makes a new one. */
export function closeApp(): void {
  current?.connections.close();
  current = undefined;
}
