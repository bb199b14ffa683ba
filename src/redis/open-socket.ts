import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { tlsOptions, type ConnectionSettings } from './connection-settings';
import { isRedisError, RedisError, replyError, socketError } from './errors';

const CONNECT_TIMEOUT_MS = 10_000;
/** A server that hangs up on somebody does so, and says why, at once. */
const LAST_WORDS_MS = 500;

/** Read at once, at most. */
const PIECE = 65_536;

/**
 * Opens a connection to a server, with TLS where that is set. Nothing is sent yet.
 * @param onBytes told of what comes: in a buffer that is overwritten afterwards, so that reading leaves nothing to be collected
 * @param signal ends it while it opens, with its reason
 * @throws RedisError
 */
export function openSocket(
  settings: ConnectionSettings,
  onBytes: (bytes: Buffer) => void,
  signal?: AbortSignal,
): Promise<Socket> {
  const { name, host, port, tls } = settings;
  const onread = {
    buffer: Buffer.allocUnsafeSlow(PIECE),
    callback: (length: number, buffer: Uint8Array) => {
      onBytes((buffer as Buffer).subarray(0, length));
      return true;
    },
  };
  return new Promise((resolve, reject) => {
    const options = { host, port, onread };
    const socket = tls ? connectTls({ ...options, ...tlsOptions(settings) }) : connectTcp(options);
    const fail = (error: Error) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      socket.destroy();
      reject(socketError(name, error, 'closedAtOnce'));
    };
    const abort = () => {
      fail(signal?.reason as Error);
    };
    signal?.addEventListener('abort', abort);
    const timer = setTimeout(() => {
      fail(new RedisError('timeout', name));
    }, CONNECT_TIMEOUT_MS);
    socket.once('error', fail);
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      socket.off('error', fail);
      signal?.removeEventListener('abort', abort);
      clearTimeout(timer);
      resolve(socket.setNoDelay(true).setKeepAlive(true, 30_000));
    });
  });
}

/**
 * Why a connection that was opened cannot be used, from what went wrong while it signed in.
 * @param signal that may have ended it
 */
export async function whyNotOpen(settings: ConnectionSettings, error: unknown, signal?: AbortSignal): Promise<unknown> {
  if (signal?.aborted === true) return signal.reason;
  if (!isRedisError(error, 'connectionLost')) return error;
  return await whyClosed(settings, socketError(settings.name, error.cause, 'closedAtOnce'));
}

/**
 * The error for a connection that was closed at once, as the server tells it by itself (in protected mode, all clients taken). Where
 * something is sent to a server that hangs up, the system may throw away what it said; so another connection only listens.
 * @returns the error as it is where nothing is said, or it is another one
 */
async function whyClosed(settings: ConnectionSettings, error: RedisError): Promise<RedisError> {
  if (!isRedisError(error, 'closedAtOnce')) return error;
  try {
    const words = await lastWords(settings);
    return words?.startsWith('-') === true ? replyError(settings.name, words.slice(1)) : error;
  } catch {
    return error;
  }
}

/** The first line that comes within a short time. */
async function lastWords(settings: ConnectionSettings): Promise<string | undefined> {
  let told = '';
  let hear: (() => void) | undefined;
  const socket = await openSocket(settings, (bytes) => {
    told += bytes.toString('latin1');
    hear?.();
  });
  return await new Promise((resolve) => {
    const end = () => {
      socket.destroy();
      resolve(told.split('\r\n', 1)[0]);
    };
    hear = () => {
      if (told.includes('\r\n')) end();
    };
    socket.setTimeout(LAST_WORDS_MS, end);
    socket.on('error', end);
    socket.on('close', end);
    hear();
  });
}
