import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { processIdentity } from '../../../local/process-identity';
import { OwnProcess } from '../../tools/own-process';

const root = path.resolve(__dirname, '../../..');

/** The fixture app in a host process of its own, over a new data folder; it can be killed and started again. */
export class HostProcess {
  url = '';
  private process: OwnProcess | undefined;

  private constructor(
    readonly folder: string,
    private readonly preload: string[],
  ) {}

  /** @param options.record also keep all requests and responses, for `recorded()` */
  static async create(options: { record?: boolean } = {}): Promise<HostProcess> {
    const folder = await mkdtemp(path.join(tmpdir(), 'keyferry-host-'));
    mkdirSync(path.join(folder, 'state'));
    const preload = [path.join(__dirname, 'ts-hook.js')];
    if (options.record) preload.push(path.join(__dirname, 'record-requests.js'));
    return new HostProcess(folder, preload);
  }

  /** What the host has written since it was started last. */
  get output(): string {
    return this.process?.words ?? '';
  }

  get stateFolder(): string {
    return path.join(this.folder, 'state');
  }

  get dataFolder(): string {
    return path.join(this.folder, 'data');
  }

  /** What the functions have noted, line by line. */
  notes(): string[] {
    try {
      return readFileSync(path.join(this.stateFolder, 'notes'), 'utf8').trim().split('\n');
    } catch {
      return [];
    }
  }

  recorded<T>(): T[] {
    const lines = readFileSync(path.join(this.folder, 'record'), 'utf8').trim().split('\n');
    return lines.map((line) => JSON.parse(line) as T);
  }

  async start(args: string[] = ['--port', '0'], env: Record<string, string> = {}): Promise<void> {
    this.process = OwnProcess.start(
      [
        ...this.preload.flatMap((file) => ['-r', file]),
        path.join(root, 'local/main.ts'),
        ...['--app', path.join(root, 'test/local/fixture-app'), '--data', this.dataFolder, ...args],
      ],
      { ...process.env, FIXTURE_STATE: this.stateFolder, RECORD_FILE: path.join(this.folder, 'record'), ...env },
    );
    this.url = (await this.process.listening()) ?? '';
  }

  /** As the operating system would: no chance to write anything down. */
  async kill(): Promise<void> {
    await this.process?.end('SIGKILL');
  }

  /** Ctrl-C. @returns the exit code */
  async stop(): Promise<number | null> {
    await this.process?.end('SIGINT');
    return this.exitCode;
  }

  /** Ends it and its storage emulator at once, and removes the data. */
  async remove(): Promise<void> {
    await this.kill();
    const azurite = this.azurite();
    if (azurite !== undefined && processIdentity(azurite.pid) === azurite.identity) {
      process.kill(azurite.pid, 'SIGKILL');
      await until(() => processIdentity(azurite.pid) !== azurite.identity);
    }
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** The storage emulator that the host brought; undefined where it was ended with it. */
  private azurite(): { pid: number; identity: string } | undefined {
    const file = path.join(this.dataFolder, 'azurite.json');
    return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { pid: number; identity: string }) : undefined;
  }

  get exitCode(): number | null {
    return this.process?.exitCode ?? null;
  }

  async fetch(route: string, init: RequestInit & { json?: unknown } = {}): Promise<Response> {
    const { json, ...rest } = init;
    const body =
      json === undefined ? {} : { body: JSON.stringify(json), headers: { 'content-type': 'application/json' } };
    return fetch(this.url + route, { ...rest, ...body });
  }
}

/** Waits until the condition holds. @throws Error after `ms` */
export async function until(condition: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  const end = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`Not within ${ms} ms.`);
    await sleep(25);
  }
}
