import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { NODE_FLAGS } from '../local/node-flags';
import type { RunningServer } from '../local/servers/start-server';
import { cpuSeconds, peakMemoryMiB } from './process-usage';

/** What one copy cost. Seconds, CPU seconds, MiB. */
export interface Cost {
  readonly seconds: number;
  /** Of the copier's own process; undefined where the servers copy by themselves. */
  readonly appCpu?: number;
  readonly memory?: number;
  /** What the verdict said, where there is one. */
  readonly note?: string;
}

/** One way to copy everything from a source to an empty target. */
export interface Contender {
  readonly name: string;
  copy(source: RunningServer, target: RunningServer): Promise<Cost>;
}

const APP = path.join(__dirname, '..', 'local', 'main.js');
/** As the command and `infra/` have it. */
const MALLOC = { MALLOC_MMAP_THRESHOLD_: '262144' };
const ROOT = path.join(__dirname, '..', '..');

/** Called just before the POST, and as soon as the migration has ended. */
export interface Around {
  readonly before: () => Promise<unknown>;
  readonly after: () => Promise<unknown>;
}

const nothing: Around = { before: () => Promise.resolve(), after: () => Promise.resolve() };

/** The whole thing: the app started before, the clock from POST to a final state. */
export const keyferry = keyferryWith('Keyferry, POST to completed', {});

/** The same with further fields in the request. */
export function keyferryWith(
  name: string,
  request: Readonly<Record<string, unknown>>,
  around = nothing,
  settings: Readonly<Record<string, string>> = {},
): Contender {
  return { name, copy: (source, target) => copyByApp(source, target, request, around, settings) };
}

/** The built app in a process of its own, between two servers. */
export interface RunningApp {
  /** Where it listens. */
  readonly base: string;
  readonly pid: number;
  readonly hasEnded: () => boolean;
  /** Ends it, and removes its data. */
  end(): Promise<void>;
}

/** @param settings further ones of the app */
export async function startApp(
  source: RunningServer,
  target: RunningServer,
  settings: Readonly<Record<string, string>> = {},
): Promise<RunningApp> {
  const data = await mkdtemp(path.join(tmpdir(), 'keyferry-bench-'));
  const app = spawn(process.execPath, [...NODE_FLAGS, APP, '--port', '0', '--app', ROOT, '--data', data], {
    env: {
      ...process.env,
      ...MALLOC,
      AzureWebJobsStorage: '',
      REDIS_SOURCE: source.url,
      REDIS_TARGET: target.url,
      ...settings,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) =>
    app.once('exit', () => {
      resolve();
    }),
  );
  const end = async () => {
    app.kill('SIGINT');
    await ended;
    await rm(data, { recursive: true, force: true });
  };
  try {
    return { base: await listeningAt(app.stdout), pid: app.pid ?? 0, hasEnded: () => app.exitCode !== null, end };
  } catch (error) {
    await end();
    throw error;
  }
}

/** The document of a migration; undefined where the app, busy for seconds, closes a connection just as it is used again. */
export async function documentOf<T>({ base, hasEnded }: RunningApp, id: string): Promise<T | undefined> {
  const answer = await fetch(`${base}/api/migrations/${id}`).catch(() => undefined);
  if (answer === undefined && hasEnded()) throw new Error('The app ended.');
  return (await answer?.json()) as T | undefined;
}

async function copyByApp(
  source: RunningServer,
  target: RunningServer,
  request: Readonly<Record<string, unknown>>,
  around: Around,
  settings: Readonly<Record<string, string>>,
): Promise<Cost> {
  const app = await startApp(source, target, settings);
  try {
    const { base, pid } = app;
    const cpu = cpuSeconds(pid);
    await around.before();
    const started = performance.now();
    const answer = await fetch(`${base}/api/migrations`, {
      method: 'POST',
      body: JSON.stringify({ source: 'SOURCE', target: 'TARGET', ...request }),
    });
    const { id } = (await answer.json()) as { id: string };
    for (;;) {
      const document = await documentOf<{
        readonly state: string;
        readonly finishedAt: string | null;
        readonly counts: { readonly copied: number; readonly converted: number; readonly repeats: number };
        readonly findings: number;
      }>(app, id);
      if (document !== undefined && document.finishedAt !== null) {
        const { state, counts, findings } = document;
        const seconds = (performance.now() - started) / 1_000;
        await around.after();
        return {
          seconds,
          appCpu: cpuSeconds(pid) - cpu,
          memory: peakMemoryMiB(pid),
          note: `${state}, ${counts.copied} copied, ${counts.converted} converted, ${counts.repeats} repeats${findings > 0 ? `, ${findings} findings` : ''}`,
        };
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  } finally {
    await app.end();
  }
}

function listeningAt(output: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    output.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const url = /Listening on (http:\/\/[^\s]+)/.exec(text)?.[1];
      if (url !== undefined) resolve(url);
    });
    output.on('end', () => {
      reject(new Error(`The app did not start:\n${text}`));
    });
  });
}

/** A command in a process of its own, whose CPU time is what the kernel says of it. */
export function command(
  name: string,
  program: string,
  args: (source: RunningServer, target: RunningServer) => Promise<string[]>,
  env: NodeJS.ProcessEnv = process.env,
): Contender {
  return {
    name,
    async copy(source, target) {
      const list = await args(source, target);
      const started = performance.now();
      const child = spawn(program, list, { stdio: ['ignore', 'ignore', 'inherit'], env });
      const usage = { appCpu: 0, memory: 0 };
      const watch = setInterval(() => {
        try {
          usage.appCpu = cpuSeconds(child.pid ?? 0);
          usage.memory = peakMemoryMiB(child.pid ?? 0);
        } catch {
          // It has just ended.
        }
      }, 100);
      const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
      clearInterval(watch);
      if (code !== 0) throw new Error(`${name} ended with ${code}`);
      return { seconds: (performance.now() - started) / 1_000, ...usage };
    },
  };
}

/** The plain copier of pipeline-copier.ts. */
export const pipeline = command('plain ioredis pipeline', process.execPath, (source, target) =>
  Promise.resolve([path.join(__dirname, 'pipeline-copier.js'), source.url, target.url]),
);

/** Redis's own replication, which Azure forbids: the limit. From REPLICAOF until the link is up. */
export const replication: Contender = {
  name: 'REPLICAOF',
  async copy(source, target) {
    const client = new Redis(target.url);
    try {
      const started = performance.now();
      await client.replicaof('127.0.0.1', source.port);
      while (!(await client.info('replication')).includes('master_link_status:up')) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const seconds = (performance.now() - started) / 1_000;
      await client.replicaof('NO', 'ONE');
      return { seconds };
    } finally {
      client.disconnect();
    }
  },
};

/** RedisShake. @param clusters which sides are clusters */
export function shakeOf(program: string, clusters = { reader: false, writer: false }): Contender {
  return command('RedisShake (scan_reader)', program, async (source, target) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'keyferry-bench-shake-'));
    const file = path.join(folder, 'shake.toml');
    await writeFile(
      file,
      `[scan_reader]\ncluster = ${clusters.reader}\naddress = "127.0.0.1:${source.port}"\nksn = false\n\n[redis_writer]\ncluster = ${clusters.writer}\naddress = "127.0.0.1:${target.port}"\n\n[advanced]\ndir = "${folder}"\n`,
    );
    return [file];
  });
}

/** Competitors that the environment names: REDIS_SHAKE_BIN, and BENCH_COMMAND with {source} and {target} for their ports. */
export function competitors(env: Readonly<Record<string, string | undefined>>): Contender[] {
  const found: Contender[] = [];
  const shake = env.REDIS_SHAKE_BIN;
  if (shake) found.push(shakeOf(shake));
  const other = env.BENCH_COMMAND;
  if (other) {
    found.push(
      command(other, '/bin/sh', (source, target) =>
        Promise.resolve([
          '-c',
          `exec ${other.replaceAll('{source}', String(source.port)).replaceAll('{target}', String(target.port))}`,
        ]),
      ),
    );
  }
  return found;
}
