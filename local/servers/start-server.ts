import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ensureServer } from './find-server';
import type { FoundServer } from './found-server';
import { freePort } from './free-port';
import type { ServerName } from './server-names';
import type { ServerProcess } from './server-process';
import { launch } from './server-process';

/** A start, loading included, takes no longer. */
const LONGEST_START_MS = 60_000;

/** What `startServer` may be told. */
export interface StartOptions {
  /** Port on 127.0.0.1; 0 or left out for a free one. */
  readonly port?: number;
  /** Further arguments of the server, for example `['--maxmemory', '50mb']`; they win over the ones given here. */
  readonly args?: readonly string[];
  /** The server's working folder, kept afterwards. Left out: a temporary one, removed when the server is stopped or killed. */
  readonly dataFolder?: string;
  /** An RDB file's name in `dataFolder`, loaded at the start. */
  readonly rdb?: string;
  /** Password of the default user. */
  readonly password?: string;
  /** PEM files; the server then speaks TLS only. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** A server that runs on 127.0.0.1 until it is stopped or this process ends. */
export interface RunningServer {
  readonly port: number;
  /** `redis://…` or `rediss://…`, with the password if there is one. */
  readonly url: string;
  /** Process id; another one after `restart`. */
  readonly pid: number;
  readonly flavour: 'redis' | 'valkey';
  /** For example `6.0.16`. */
  readonly version: string;
  /** Its working folder. */
  readonly dataFolder: string;
  /** The last lines it wrote to its log. */
  lastWords(): string;
  /** Ends it in an orderly way (SIGTERM). Nothing is saved unless `args` asked for it. */
  stop(): Promise<void>;
  /** Ends it at once (SIGKILL). */
  kill(): Promise<void>;
  /**
   * Ends it (SIGKILL by default) unless it has ended, and starts it again on the same port with the same arguments and folder:
   * a new run id and hash seed, and the data that was saved or that `rdb` names.
   */
  restart(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

/**
 * Starts a server (brought from Debian packages where it is not there yet) and waits until it answers.
 * It keeps nothing on disk (`--save ''`, `--appendonly no`) unless `args` say so.
 * @throws Error saying why there is no such server, or with the server's last words where it does not start.
 */
export async function startServer(want: ServerName | FoundServer, options: StartOptions = {}): Promise<RunningServer> {
  const server = typeof want === 'string' ? await ensureServer(want) : want;
  const ownFolder = options.dataFolder === undefined;
  const folder = options.dataFolder ?? (await mkdtemp(join(tmpdir(), 'keyferry-redis-')));
  const tls = options.tls !== undefined;
  const start = (port: number): Promise<ServerProcess> =>
    launch(server, argumentsFor(port, folder, options), { port, tls }, LONGEST_START_MS);
  const cleanUp = async (): Promise<void> => {
    if (ownFolder) await rm(folder, { recursive: true, force: true });
  };

  let port = options.port ?? 0;
  let life: ServerProcess;
  try {
    if (port === 0) ({ port, life } = await onFreePort(start));
    else life = await start(port);
  } catch (error) {
    await cleanUp();
    throw error;
  }
  const secret = options.password === undefined ? '' : `:${encodeURIComponent(options.password)}@`;
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    await life.end(signal);
    await cleanUp();
  };
  return {
    port,
    url: `${tls ? 'rediss' : 'redis'}://${secret}127.0.0.1:${port}`,
    get pid() {
      return life.pid;
    },
    flavour: server.flavour,
    version: server.version,
    dataFolder: folder,
    lastWords: () => life.lastWords(),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    restart: async (signal = 'SIGKILL') => {
      await life.end(signal);
      life = await start(port);
    },
  };
}

/** Between asking for a free port and listening on it somebody else may take it: then another one. */
async function onFreePort(
  start: (port: number) => Promise<ServerProcess>,
): Promise<{ port: number; life: ServerProcess }> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    try {
      return { port, life: await start(port) };
    } catch (error) {
      if (attempt === 5 || !/address already in use/i.test((error as Error).message)) throw error;
    }
  }
}

function argumentsFor(port: number, folder: string, options: StartOptions): string[] {
  const { tls, rdb, password } = options;
  return [
    ...['--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no'],
    ...(tls
      ? ['--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'no']
          .concat('--tls-cert-file', tls.cert, '--tls-key-file', tls.key)
          .concat('--tls-ca-cert-file', tls.cert)
      : ['--port', String(port)]),
    ...(rdb === undefined ? [] : ['--dbfilename', rdb]),
    ...(password === undefined ? [] : ['--requirepass', password]),
    ...(options.args ?? []),
  ];
}
