import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NODE_FLAGS } from '../../local/node-flags';
import { repositoryRoot } from '../../local/servers/repository-root';
import type { ErrorDocument, FindingsPage } from '../../src/api/documents';
import type { MigrationList, MigrationReport } from '../../src/migration/report';
import { OwnProcess } from './own-process';

const root = repositoryRoot();
/** The local host, or another one that takes its options. */
const HOST = process.env.E2E_HOST ?? 'dist/local/main.js';
/** For a host that demands keys. */
const key: Record<string, string> = process.env.FUNC_HOST_KEY ? { 'x-functions-key': process.env.FUNC_HOST_KEY } : {};

/** What the HTTP API answered. */
export interface Answer<T = unknown> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

/** Settings by which messages that cannot be worked on are given up within seconds: they are tried as often, only sooner. */
export const retriedAtOnce = {
  AzureFunctionsJobHost__extensions__queues__visibilityTimeout: '00:00:00',
  AzureFunctionsJobHost__extensions__queues__maxPollingInterval: '00:00:00.1',
};

const living = new Set<AppProcess>();
process.on('exit', () => {
  for (const app of living) app.killAll();
});

/**
 * The built app in a host process of its own, spoken to over HTTP only. It can be killed and started again; what it had then stays
 * leased and locked for as long as in Azure.
 */
export class AppProcess {
  url = '';
  private process: OwnProcess | undefined;
  private earlier = '';

  private constructor(
    readonly dataFolder: string,
    private readonly settings: Readonly<Record<string, string>>,
  ) {}

  /** @param settings the app's settings: REDIS_<NAME>, KEYFERRY_… */
  static async start(settings: Readonly<Record<string, string>>): Promise<AppProcess> {
    const app = new AppProcess(await mkdtemp(path.join(tmpdir(), 'keyferry-e2e-')), settings);
    living.add(app);
    await app.begin();
    return app;
  }

  /** Everything that the host has written, over all its lives. */
  get log(): string {
    return this.earlier + (this.process?.words ?? '');
  }

  /** Starts the host over the data that is there, after `kill` or `stop`. */
  async begin(): Promise<void> {
    this.earlier = this.log;
    const started = OwnProcess.start(
      [
        ...NODE_FLAGS,
        path.join(root, HOST),
        '--app',
        root,
        '--port',
        '0',
        '--data',
        this.dataFolder,
        '--verbose',
        '--one-of-several',
      ],
      { ...inherited(), ...this.settings },
    );
    this.process = started;
    const url = await started.listening();
    if (url === undefined) throw new Error(`The app did not start:\n${started.words}`);
    this.url = url;
  }

  /** As the operating system would: no chance to write anything down. The storage emulator lives on. */
  async kill(): Promise<void> {
    await this.process?.end('SIGKILL');
  }

  /** To its host alone, for example to have it stand still. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.process?.signal(signal);
  }

  /** As Ctrl-C. */
  async stop(): Promise<void> {
    await this.process?.end('SIGINT');
  }

  /** Ends everything and removes the data. */
  async remove(): Promise<void> {
    this.killAll();
    await this.process?.end('SIGKILL');
    living.delete(this);
    await until(() => runningAzurite(this) === undefined, 10_000);
    await rm(this.dataFolder, { recursive: true, force: true, maxRetries: 5 });
  }

  killAll(): void {
    this.process?.signal('SIGKILL');
    const pid = runningAzurite(this);
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  }

  /** Where the storage emulator is that the host brought. */
  azurite(): { readonly pid: number; readonly queue: number; readonly table: number } | undefined {
    try {
      return JSON.parse(readFileSync(path.join(this.dataFolder, 'azurite.json'), 'utf8')) as {
        pid: number;
        queue: number;
        table: number;
      };
    } catch {
      return undefined;
    }
  }

  async request<T = unknown>(method: string, route: string, body?: unknown): Promise<Answer<T>> {
    const response = await fetch(this.url + route, {
      method,
      ...(body === undefined
        ? { headers: key }
        : {
            body: typeof body === 'string' ? body : JSON.stringify(body),
            headers: { ...key, 'content-type': 'application/json' },
          }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: (text === '' ? undefined : JSON.parse(text)) as T,
    };
  }

  /** Runs a timer's function at once, as an administrator may, and waits until it has run. */
  async fire(timer: string): Promise<void> {
    const before = this.log.length;
    const masterKey = readFileSync(path.join(this.dataFolder, 'master-key'), 'utf8').trim();
    const { status } = await fetch(`${this.url}/admin/functions/${timer}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-functions-key': masterKey },
      body: '{}',
    });
    if (status !== 202) throw new Error(`${timer} was not run: ${status}`);
    // In the words of the local host, and of others.
    const words = [`${timer}: done in`, `Executed 'Functions.${timer}' (Succeeded`];
    await until(() => words.some((each) => this.log.includes(each, before)), 60_000);
  }

  /** Runs a timer's function every second, as its clock does every minute, until something has ended. */
  async fireUntil<T>(ended: Promise<T>, timer: string): Promise<T> {
    const over = ended.then(
      () => true,
      () => true,
    );
    do await this.fire(timer);
    while (!(await Promise.race([over, sleep(1_000, false)])));
    return ended;
  }

  /** POSTs a migration that must be refused. */
  async refused(body: unknown): Promise<Answer<ErrorDocument>> {
    const answer = await this.request<ErrorDocument>('POST', '/api/migrations', body);
    if (answer.status < 400) throw new Error(`Not refused: ${JSON.stringify(answer.body)}`);
    return answer;
  }

  /** POSTs a migration that must be taken, and returns its id. */
  async migrate(body: object): Promise<string> {
    const answer = await this.request<{ id: string }>('POST', '/api/migrations', body);
    if (answer.status !== 202) throw new Error(`Refused with ${answer.status}: ${JSON.stringify(answer.body)}`);
    return answer.body.id;
  }

  async report(id: string): Promise<MigrationReport> {
    const answer = await this.request<MigrationReport>('GET', `/api/migrations/${id}`);
    if (answer.status !== 200) throw new Error(`${answer.status}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** Waits until the report is as wanted. @throws Error with the last report after `ms` */
  async reportWhen(id: string, wanted: (report: MigrationReport) => boolean, ms = 120_000): Promise<MigrationReport> {
    const end = Date.now() + ms;
    for (;;) {
      const report = await this.report(id);
      if (wanted(report)) return report;
      if (report.finishedAt !== null) throw new Error(`It ended before: ${JSON.stringify(report)}`);
      if (Date.now() > end)
        throw new Error(`Not within ${ms} ms: ${JSON.stringify(report)}\n${this.log.slice(-3_000)}`);
      // To answer takes the app, its storage and this process some milliseconds each.
      await sleep(200);
    }
  }

  /** Waits for the verdict. */
  async finished(id: string, ms = 120_000): Promise<MigrationReport> {
    return this.reportWhen(id, ({ finishedAt }) => finishedAt !== null, ms);
  }

  /** Starts a migration and waits for its verdict. */
  async run(body: object, ms?: number): Promise<MigrationReport> {
    return this.finished(await this.migrate(body), ms);
  }

  /** Cancels what runs, and waits until it has ended. */
  async cancelAll(): Promise<void> {
    const { body } = await this.request<MigrationList>('GET', '/api/migrations');
    for (const { id, finishedAt } of body.migrations) {
      if (finishedAt !== null) continue;
      await this.request('DELETE', `/api/migrations/${id}`);
      await this.finished(id);
    }
  }

  async findings(id: string, limit = 1_000): Promise<FindingsPage> {
    return (await this.request<FindingsPage>('GET', `/api/migrations/${id}/findings?limit=${limit}`)).body;
  }
}

/** Waits until the condition holds. @throws Error after `ms` */
export async function until(condition: () => boolean | Promise<boolean>, ms = 30_000): Promise<void> {
  const end = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`Not within ${ms} ms.`);
    await sleep(25);
  }
}

/** This process's environment without what would be settings of the app. */
function inherited(): NodeJS.ProcessEnv {
  const settings = /^(REDIS_|KEYFERRY_|SCHEDULED_MIGRATION|AzureWebJobs|AzureFunctionsJobHost|NODE_OPTIONS$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !settings.test(name)));
}

/** The process of the storage emulator, where it runs. */
function runningAzurite(app: AppProcess): number | undefined {
  const pid = app.azurite()?.pid;
  try {
    if (pid !== undefined) process.kill(pid, 0);
    return pid;
  } catch {
    return undefined;
  }
}
