import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { LOCK_FILE } from './folder-lock';
import type { Logger } from './logger';
import { freePorts } from './ports';
import { processIdentity } from './process-identity';

/** A running Azurite. */
export interface Azurite {
  connectionString: string;
  /** Resolves when it has ended although nobody closed it: what it had not written yet, up to five seconds of work, is lost. */
  lost: Promise<void>;
  /** Ends the process and waits until its data is on disk. */
  close(): Promise<void>;
}

interface Ports {
  blob: number;
  queue: number;
  table: number;
}

interface PidFile extends Ports {
  pid: number;
  identity: string;
}

// The account and key that every Azurite has; public, in Azurite's README.
const account = 'devstoreaccount1';
const accountKey = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

/** There once Azurite ends since no host is left; see azurite-guard.ts. */
const ENDING_FILE = 'azurite.ending';

/**
 * Starts Azurite with its data in `folder`, on free ports of 127.0.0.1, and waits until it answers. An Azurite that an
 * earlier host has left running over the same folder (the host was killed) is used further: Azurite writes its tables
 * and queues to disk every five seconds only, so ending it hard would lose what came last. It ends by itself where no other
 * host comes soon.
 * @throws Error when the package is not installed or Azurite does not answer in time
 */
export async function startAzurite(folder: string, log: Logger): Promise<Azurite> {
  return await (
    await launchAzurite(folder, log)
  ).ready;
}

/**
 * The same without waiting until it answers.
 * @returns once there is a process of it: `ready` is what `startAzurite` gives, or throws
 * @throws Error when the package is not installed
 */
export async function launchAzurite(folder: string, log: Logger): Promise<{ readonly ready: Promise<Azurite> }> {
  await mkdir(folder, { recursive: true });
  const file = path.join(folder, 'azurite.json');
  const left = await readPidFile(file);
  if (left) {
    if (!existsSync(path.join(folder, ENDING_FILE)) && (await answers(left))) {
      log.info(`Azurite (process ${left.pid}) still runs over ${folder}: used further.`);
      return { ready: Promise.resolve(running(left, file)) };
    }
    await end(left);
    await rm(file, { force: true });
  }
  await rm(path.join(folder, ENDING_FILE), { force: true });
  const ready = whenReady(await launch(folder, file), folder, file);
  // Whoever waits for it hears of that.
  ready.catch(() => undefined);
  return { ready };
}

async function whenReady(first: PidFile, folder: string, file: string): Promise<Azurite> {
  let started = first;
  for (let attempt = 1; ; attempt++) {
    if (await waitUntilReady(started)) return running(started, file);
    await end(started);
    if (attempt === 3) throw new Error(`Azurite does not start over ${folder}.`);
    started = await launch(folder, file);
  }
}

async function launch(folder: string, file: string): Promise<PidFile> {
  let script: string;
  try {
    script = require.resolve('azurite/dist/src/azurite.js');
  } catch {
    throw new Error('Azurite is not installed. Run npm ci, or give AzureWebJobsStorage a connection string.');
  }
  const [blob = 0, queue = 0, table = 0] = await freePorts(3);
  const services: [string, number][] = [
    ['blob', blob],
    ['queue', queue],
    ['table', table],
  ];
  const listen = services.flatMap(([name, port]) => [
    ...[`--${name}Host`, '127.0.0.1', `--${name}Port`, String(port)],
    // Idle connections live longer than any pause between requests, so that none ends under a request.
    ...[`--${name}KeepAliveTimeout`, '120'],
  ]);
  const guard = ['--import', pathToFileURL(require.resolve('./azurite-guard')).href];
  const flags = ['--location', folder, '--silent', '--skipApiVersionCheck', '--disableTelemetry', ...listen];
  // In a process group of its own: Ctrl-C must reach it through the host, not before it.
  const child = spawn(process.execPath, [...guard, script, ...flags], {
    // The channel says nothing; that it ends tells the guard that this process is gone.
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    detached: true,
    env: {
      ...process.env,
      KEYFERRY_HOST_LOCK: path.join(folder, LOCK_FILE),
      KEYFERRY_AZURITE_ENDING: path.join(folder, ENDING_FILE),
    },
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  child.unref();
  child.channel?.unref();
  const pid = child.pid ?? 0;
  const started: PidFile = { pid, identity: processIdentity(pid) ?? '', blob, queue, table };
  await writeFile(`${file}.new`, JSON.stringify(started));
  await rename(`${file}.new`, file);
  return started;
}

/** How often it is looked whether it still runs. */
const LOOK_MS = 500;

function running(azurite: PidFile, file: string): Azurite {
  let watching: NodeJS.Timeout | undefined;
  const lost = new Promise<void>((resolve) => {
    watching = setInterval(() => {
      if (isAlive(azurite)) return;
      clearInterval(watching);
      resolve();
    }, LOOK_MS);
    watching.unref();
  });
  const endpoints = (['blob', 'queue', 'table'] as const)
    .map(
      (name) => `${name[0]?.toUpperCase() ?? ''}${name.slice(1)}Endpoint=http://127.0.0.1:${azurite[name]}/${account};`,
    )
    .join('');
  return {
    connectionString: `DefaultEndpointsProtocol=http;AccountName=${account};AccountKey=${accountKey};${endpoints}`,
    lost,
    close: async () => {
      clearInterval(watching);
      await end(azurite);
      await rm(file, { force: true });
    },
  };
}

async function readPidFile(file: string): Promise<PidFile | undefined> {
  let left: PidFile;
  try {
    left = JSON.parse(await readFile(file, 'utf8')) as PidFile;
  } catch {
    return undefined;
  }
  return isAlive(left) ? left : undefined;
}

function isAlive({ pid, identity }: PidFile): boolean {
  return processIdentity(pid) === identity;
}

/** Asks it to write its data and end; after 10 s it is killed. */
async function end(azurite: PidFile): Promise<void> {
  for (const [signal, waitMs] of [
    ['SIGTERM', 10_000],
    ['SIGKILL', 2_000],
  ] as const) {
    if (!isAlive(azurite)) return;
    process.kill(azurite.pid, signal);
    for (let waited = 0; waited < waitMs && isAlive(azurite); waited += 20) await sleep(20);
  }
}

async function waitUntilReady(azurite: PidFile): Promise<boolean> {
  const until = Date.now() + 30_000;
  while (Date.now() < until) {
    if (await answers(azurite)) return true;
    if (!isAlive(azurite)) return false;
    await sleep(50);
  }
  return false;
}

/** Azurite names itself in each answer, also in the refusal of a request without a signature. */
async function answers(ports: Ports): Promise<boolean> {
  const services = [
    [ports.queue, 'Azurite-Queue'],
    [ports.table, 'Azurite-Table'],
  ] as const;
  const found = await Promise.all(
    services.map(async ([port, name]) => {
      try {
        const response = await fetch(`http://127.0.0.1:${port}/${account}?comp=list`, {
          signal: AbortSignal.timeout(5000),
        });
        await response.arrayBuffer();
        return response.headers.get('server')?.startsWith(name) ?? false;
      } catch {
        return false;
      }
    }),
  );
  return found.every(Boolean);
}
