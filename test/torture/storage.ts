import { TableClient } from '@azure/data-tables';
import { QueueClient } from '@azure/storage-queue';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { freePorts } from '../../local/ports';
import { OwnProcess } from '../tools/own-process';
import { TcpProxy } from './tcp-proxy';
import { holdsWithin } from './wait';

// The account and key that every Azurite has; public, in Azurite's README.
const account = 'devstoreaccount1';
const accountKey = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

interface Ports {
  readonly blob: number;
  readonly queue: number;
  readonly table: number;
}

function connectionStringOf({ blob, queue, table }: Ports): string {
  const at = (port: number) => `http://127.0.0.1:${port}/${account}`;
  return (
    `DefaultEndpointsProtocol=http;AccountName=${account};AccountKey=${accountKey};` +
    `BlobEndpoint=${at(blob)};QueueEndpoint=${at(queue)};TableEndpoint=${at(table)};`
  );
}

/** The storage emulator, on ports that stay the same over its lives. */
export class Storage {
  private process: OwnProcess | undefined;

  private constructor(
    private readonly folder: string,
    private readonly ports: Ports,
    /** The app's ways to queues and tables. */
    private readonly ways: { readonly queue: TcpProxy; readonly table: TcpProxy },
  ) {}

  static async start(folder: string): Promise<Storage> {
    for (let tries = 1; ; tries++) {
      const [blob = 0, queue = 0, table = 0] = await freePorts(3);
      const ways = { queue: await TcpProxy.start(queue), table: await TcpProxy.start(table) };
      const storage = new Storage(folder, { blob, queue, table }, ways);
      try {
        await storage.begin();
        return storage;
      } catch (error) {
        await storage.closeWays();
        // Somebody else took a port between its choice and its use.
        if (tries === 3 || !String(error).includes('EADDRINUSE')) throw error;
      }
    }
  }

  /** For the app. */
  get connectionString(): string {
    const { queue, table } = this.ways;
    return connectionStringOf({ blob: this.ports.blob, queue: queue.port, table: table.port });
  }

  /** The connections that the app has are half open from now on. */
  strand(): void {
    for (const way of Object.values(this.ways)) way.strand();
  }

  async closeWays(): Promise<void> {
    await Promise.all(Object.values(this.ways).map((way) => way.close()));
  }

  /** @param shiftMs by how much its clock is off */
  async begin(shiftMs = 0): Promise<void> {
    const ports = Object.entries(this.ports).flatMap(([name, port]) => [
      ...[`--${name}Host`, '127.0.0.1', `--${name}Port`, String(port), `--${name}KeepAliveTimeout`, '120'],
    ]);
    const script = require.resolve('azurite/dist/src/azurite.js');
    const flags = ['--location', this.folder, '--silent', '--skipApiVersionCheck', '--disableTelemetry'];
    const started = OwnProcess.start([script, ...flags, ...ports], process.env, shiftMs);
    this.process = started;
    const answers = async () => {
      if (started.hasEnded) throw new Error(`Azurite ended:\n${started.words}`);
      const url = (port: number) => `http://127.0.0.1:${port}/${account}?comp=list`;
      const asked = [this.ports.queue, this.ports.table].map((port) => fetch(url(port)).then((r) => r.arrayBuffer()));
      return (await Promise.allSettled(asked)).every(({ status }) => status === 'fulfilled');
    };
    if (!(await holdsWithin(30_000, answers))) throw new Error('Azurite does not answer.');
  }

  signal(name: NodeJS.Signals): void {
    this.process?.signal(name);
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.process?.end(signal);
  }

  /** Whether a migration's plan is on disk: the emulator writes every five seconds, the real storage before it answers. */
  async hasWritten(migration: string): Promise<boolean> {
    const text = await readFile(path.join(this.folder, '__azurite_db_table__.json'), 'utf8').catch(() => '');
    return text.includes(migration);
  }

  table(name: string): TableClient {
    return TableClient.fromConnectionString(connectionStringOf(this.ports), name, {
      allowInsecureConnection: true,
      retryOptions: { maxRetries: 1 },
    });
  }

  queue(name: string): QueueClient {
    return new QueueClient(connectionStringOf(this.ports), name, { retryOptions: { maxTries: 2 } });
  }
}
