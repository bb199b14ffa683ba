import type { App } from '../../src/app/app';
import { readAppSettings } from '../../src/app/app-settings';
import { MigrationWatch } from '../../src/app/migration-watch';
import { Visits } from '../../src/app/visits';
import { FileStores } from '../../src/files/file-stores';
import { Ledger } from '../../src/ledger/ledger';
import { RANGES_QUEUE, RangeQueue, type RangeMessage } from '../../src/ledger/range-queue';
import { storageClients } from '../../src/ledger/storage-clients';
import { ScheduleLedger } from '../../src/ledger/schedule-ledger';
import { Connections } from '../../src/redis/connections';
import { noTelemetry } from '../../src/telemetry/telemetry';
import { BytesInFlight } from '../../src/transfer/bytes-in-flight';
import { FileTables } from '../../src/transfer/file-tables';
import { Clocks } from '../../src/transfer/clock-offset';

/** An app as one process has it, made from settings, without functions around it. */
export interface TestApp extends App {
  /** The settings it was made from. */
  readonly env: Readonly<Record<string, string>>;
  /** Takes all messages that are in the queue of ranges. */
  takeMessages(): Promise<RangeMessage[]>;
}

export async function makeTestApp(env: Readonly<Record<string, string>>): Promise<TestApp> {
  const settings = readAppSettings(env);
  const clients = storageClients(env);
  const ledger = new Ledger(clients);
  const queue = new RangeQueue(clients);
  await Promise.all([ledger.ensure(), queue.ensure()]);
  const client = clients.queues.getQueueClient(RANGES_QUEUE);
  return {
    env,
    settings,
    ledger,
    queue,
    schedules: new ScheduleLedger(clients),
    connections: new Connections(env, 'keyferry-test'),
    files: new FileStores(env),
    fileTables: new FileTables(),
    watch: new MigrationWatch(ledger.migrations),
    clocks: new Clocks(),
    visits: new Visits(),
    budget: new BytesInFlight(settings.bytesInFlight),
    telemetry: noTelemetry,
    takeMessages: async () => {
      const taken: RangeMessage[] = [];
      for (;;) {
        const { receivedMessageItems } = await client.receiveMessages({ numberOfMessages: 32 });
        if (receivedMessageItems.length === 0) return taken;
        for (const { messageId, popReceipt, messageText } of receivedMessageItems) {
          taken.push(JSON.parse(Buffer.from(messageText, 'base64').toString()) as RangeMessage);
          await client.deleteMessage(messageId, popReceipt);
        }
      }
    },
  };
}
