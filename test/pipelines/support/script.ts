import { spawn } from 'node:child_process';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { type Ended, root, Running } from '../../cli/support/command';

export const script = path.join(root, 'scripts', 'migrate-and-wait.sh');

/** Starts the script as a pipeline does: with little but the PATH in its environment. */
export function startScript(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  const child = spawn('sh', [script, ...args], {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return new Running(child);
}

export async function runScript(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return await startScript(args, env).end();
}

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly at: number;
}

export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

/** An app that answers as it is told, for what the real one does seldom; it keeps what it was asked. */
export class ToldApp {
  readonly seen: SeenRequest[] = [];

  private constructor(
    private readonly server: Server,
    private readonly answer: (request: SeenRequest, number: number) => Answer | Promise<Answer>,
  ) {}

  static async start(answer: (request: SeenRequest, number: number) => Answer | Promise<Answer>): Promise<ToldApp> {
    const server = createServer();
    const app = new ToldApp(server, answer);
    server.on('request', (request, response) => {
      let body = '';
      request.on('data', (data: Buffer) => (body += data.toString()));
      request.on('end', () => {
        const { method = '', url = '', headers } = request;
        const seen = { method, url, headers, body, at: Date.now() };
        app.seen.push(seen);
        void Promise.resolve(app.answer(seen, app.seen.length)).then((told) => {
          response.writeHead(told.status, { 'content-type': 'application/json', ...told.headers });
          response.end(told.body === undefined ? '' : JSON.stringify(told.body));
        });
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return app;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** The document of a migration as the app gives it. */
export function report(state: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id: 'm1',
    state,
    source: { name: 'OLD', version: '6.0.16', keysAtStart: 10, keysNow: 10 },
    target: { name: 'NEW', version: '8.0.2', keysAtStart: 0, keysNow: 10 },
    progress: { percent: 50, keysPerSecond: 5, etaSeconds: 1, ranges: { total: 2, done: 1, active: 1, failed: 0 } },
    counts: { scanned: 10, copied: 9, converted: 0, skippedByFilter: 0, skippedByConflict: 0, expired: 0, failed: 1 },
    tally: { sourceKeys: 10, accountedKeys: 10, targetKeys: 9, missing: 1, verdict: null },
    warnings: [],
    findings: 0,
    cause: null,
    ...more,
  };
}
