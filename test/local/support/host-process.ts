import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const root = path.resolve(__dirname, '../../..');

/** The fixture app in a host process of its own, over a new data folder; it can be killed and started again. */
export class HostProcess {
  url = '';
  output = '';
  private child: ChildProcess | undefined;

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
    this.output = '';
    const child = spawn(
      process.execPath,
      [
        ...this.preload.flatMap((file) => ['-r', file]),
        path.join(root, 'local/main.ts'),
        ...['--app', path.join(root, 'test/local/fixture-app'), '--data', this.dataFolder, ...args],
      ],
      {
        env: { ...process.env, FIXTURE_STATE: this.stateFolder, RECORD_FILE: path.join(this.folder, 'record'), ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data: Buffer) => {
        this.output += data.toString();
      });
    }
    await until(() => this.output.includes('Listening on') || child.exitCode !== null, 30_000);
    this.url = /Listening on (\S+)/.exec(this.output)?.[1] ?? '';
  }

  /** As the operating system would: no chance to write anything down. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** Ctrl-C. @returns the exit code */
  async stop(): Promise<number | null> {
    return this.end('SIGINT');
  }

  get exitCode(): number | null {
    return this.child?.exitCode ?? null;
  }

  async fetch(route: string, init: RequestInit & { json?: unknown } = {}): Promise<Response> {
    const { json, ...rest } = init;
    const body =
      json === undefined ? {} : { body: JSON.stringify(json), headers: { 'content-type': 'application/json' } };
    return fetch(this.url + route, { ...rest, ...body });
  }

  private async end(signal: NodeJS.Signals): Promise<number | null> {
    const { child } = this;
    if (!child) return null;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
    return child.exitCode;
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
