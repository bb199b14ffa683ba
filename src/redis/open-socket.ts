import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { tlsOptions, type ConnectionSettings } from './connection-settings';
import { RedisError, socketError } from './errors';

const CONNECT_TIMEOUT_MS = 10_000;

/** Opens a connection to a server, with TLS where that is set. Nothing is sent yet. @throws RedisError */
export function openSocket(settings: ConnectionSettings): Promise<Socket> {
  const { name, host, port, tls } = settings;
  return new Promise((resolve, reject) => {
    const socket = tls ? connectTls({ host, port, ...tlsOptions(settings) }) : connectTcp({ host, port });
    const fail = (error: Error) => {
      socket.destroy();
      reject(socketError(name, error, 'closedAtOnce'));
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => {
      fail(new RedisError('timeout', name));
    });
    socket.once('error', fail);
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      socket.off('error', fail);
      socket.removeAllListeners('timeout');
      resolve(socket.setNoDelay(true).setKeepAlive(true, 30_000));
    });
  });
}
