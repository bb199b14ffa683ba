import { connect as connectPlain } from 'node:net';
import { connect as connectTls } from 'node:tls';

/**
 * Sends one PING to a server on 127.0.0.1 and returns the first line of its answer without the line end (`+PONG`,
 * `-NOAUTH …`, `-LOADING …`), or undefined where nothing answers within a second.
 */
export function askPing(port: number, tls: boolean): Promise<string | undefined> {
  return new Promise((resolve) => {
    const where = { host: '127.0.0.1', port };
    // The certificate is not looked at: nothing but PING is said here, and any answer will do.
    const socket = tls ? connectTls({ ...where, rejectUnauthorized: false }) : connectPlain(where);
    let said = '';
    const finish = (answer: string | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => {
      finish(undefined);
    }, 1_000);
    socket.on('error', () => {
      finish(undefined);
    });
    socket.on('close', () => {
      finish(undefined);
    });
    socket.on('data', (chunk: Buffer) => {
      said += chunk.toString('latin1');
      const end = said.indexOf('\r\n');
      if (end >= 0) finish(said.slice(0, end));
    });
    socket.write('PING\r\n');
  });
}
