import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NODE_FLAGS } from '../../local/node-flags';
import { repositoryRoot } from '../../local/servers/repository-root';
import type { MigrationReport } from '../../src/migration/report';
import { OwnProcess } from '../tools/own-process';

/** What a host that cannot start says of its storage, and how long it is started again for it. */
const STORAGE_AWAY = /storage account .* does not answer/;
const PATIENCE_MS = 60_000;

export interface Answer<T = unknown> {
  readonly status: number;
  readonly body: T;
}

export interface Finding {
  readonly database: number;
  readonly key: string;
  readonly encoding: string;
  readonly code: string;
  readonly message: string;
}

/** The built app in a host process of its own, spoken to over HTTP only. */
export class App {
  private process: OwnProcess | undefined;
  private url = '';
  private earlier = '';

  constructor(
    private readonly dataFolder: string,
    private readonly settings: Readonly<Record<string, string>>,
  ) {}

  /** What the host has written, over all its lives; the last megabytes. */
  get log(): string {
    return this.earlier + (this.process?.words ?? '');
  }

  /** Where its storage is away it is started again, as a platform does. @param shiftMs by how much its clock is off */
  async begin(shiftMs = 0): Promise<void> {
    const until = performance.now() + PATIENCE_MS;
    for (;;) {
      const words = await this.tryToBegin(shiftMs);
      if (words === undefined) return;
      if (!STORAGE_AWAY.test(words) || performance.now() > until) throw new Error(`The app did not start:\n${words}`);
      await sleep(500);
    }
  }

  /** @returns what it said where it did not start */
  private async tryToBegin(shiftMs: number): Promise<string | undefined> {
    this.earlier = this.log.slice(-(2 << 20));
    const root = repositoryRoot();
    const main = path.join(root, 'dist/local/main.js');
    const started = OwnProcess.start(
      [...NODE_FLAGS, main, '--app', root, '--port', '0', '--data', this.dataFolder, '--verbose'],
      { ...inherited(), ...this.settings },
      shiftMs,
    );
    this.process = started;
    const url = await started.listening();
    if (url === undefined) return started.words;
    this.url = url;
    return undefined;
  }

  /** While the work lasts, so many other hosts on the same storage run beside this one, or alone; they are killed in the end, one after the other. */
  async joined(others: number, work: () => Promise<void>): Promise<void> {
    const beside: App[] = [];
    try {
      for (let number = 1; number <= others; number++) {
        const folder = `${this.dataFolder}-beside-${number}`;
        await mkdir(folder, { recursive: true });
        const other = new App(folder, this.settings);
        beside.push(other);
        await other.begin();
      }
      await work();
    } finally {
      for (const other of beside) await other.end('SIGKILL');
    }
  }

  signal(name: NodeJS.Signals): void {
    this.process?.signal(name);
  }

  async end(signal: 'SIGINT' | 'SIGKILL'): Promise<void> {
    await this.process?.end(signal);
  }

  get hasEnded(): boolean {
    return this.process?.hasEnded ?? true;
  }

  /** @throws Error where the app does not answer within 20 s */
  async request<T>(method: string, route: string, body?: unknown): Promise<Answer<T>> {
    const response = await fetch(this.url + route, {
      method,
      signal: AbortSignal.timeout(20_000),
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await response.text();
    return { status: response.status, body: (text === '' ? undefined : JSON.parse(text)) as T };
  }

  /** The report; undefined where the app does not answer at the moment, null where it knows no such migration. */
  async report(id: string): Promise<MigrationReport | null | undefined> {
    try {
      const { status, body } = await this.request<MigrationReport>('GET', `/api/migrations/${id}`);
      if (status === 404) return null;
      return status === 200 ? body : undefined;
    } catch {
      return undefined;
    }
  }

  /** The first findings of a migration, at most `most`. */
  async findings(id: string, most: number): Promise<Finding[]> {
    const found: Finding[] = [];
    let more = '';
    do {
      const route = `/api/migrations/${id}/findings?limit=1000${more}`;
      const { body } = await this.request<{ findings: Finding[]; continuation: string | null }>('GET', route);
      found.push(...body.findings);
      if (body.continuation === null) break;
      more = `&continuation=${encodeURIComponent(body.continuation)}`;
    } while (found.length < most);
    return found;
  }
}

/** This process's environment without what would be settings of the app. */
function inherited(): NodeJS.ProcessEnv {
  const settings = /^(REDIS_|KEYFERRY_|SCHEDULED_MIGRATION|AzureWebJobs|NODE_OPTIONS$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !settings.test(name)));
}
