import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect as connectPlain } from 'node:net';
import { connect as connectTls } from 'node:tls';

import { CommandWriter } from './command-writer';

/**
 * A connection that takes whole commands as bytes and checks that none was refused. Only for commands whose replies hold no
 * text of the user's: a line of a reply that begins with `-` is taken for a refusal.
 */
export class CommandStream {
  private failure: Error | undefined;
  private tail = '\r\n';
  private readonly closed: Promise<void>;

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.hear(chunk);
    });
    socket.on('error', (error) => {
      this.failure ??= error;
    });
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.failure ??= new Error('The server closed the connection');
        resolve();
      });
    });
  }

  /**
   * Connects to `redis://[[user]:password@]host[:port]` or `rediss://…` (certificates are verified).
   * @throws Error where the server cannot be reached; or refuses the credentials, with its words.
   */
  static async open(url: string): Promise<CommandStream> {
    const { protocol, hostname, port, username, password } = new URL(url);
    const where = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port === '' ? '6379' : port) };
    const secure = protocol === 'rediss:';
    const socket = secure ? connectTls({ ...where, servername: where.host }) : connectPlain(where);
    socket.setNoDelay(true);
    await once(socket, secure ? 'secureConnect' : 'connect');
    const stream = new CommandStream(socket);
    try {
      await stream.greet(decodeURIComponent(username), decodeURIComponent(password));
    } catch (error) {
      stream.abort();
      throw error;
    }
    return stream;
  }

  /** Authenticates if there is a password, and waits until the server answers a PING. */
  private async greet(username: string, password: string): Promise<void> {
    const hello = new CommandWriter(1024);
    if (password !== '') {
      const words = [...(username === '' ? [] : [username]), password];
      hello.begin(words.length + 1).text('AUTH');
      for (const word of words) hello.bytes(Buffer.from(word));
    }
    await this.send(hello.command('PING').take());
    while (!this.tail.endsWith('+PONG\r\n')) {
      await Promise.race([once(this.socket, 'data').catch(() => undefined), this.closed]);
      this.check();
    }
  }

  /**
   * Sends whole commands, waiting while the server is behind.
   * @throws Error where the connection ended or an earlier command was refused.
   */
  async send(commands: Buffer): Promise<void> {
    this.check();
    if (this.socket.write(commands)) return;
    await Promise.race([once(this.socket, 'drain').catch(() => undefined), this.closed]);
    this.check();
  }

  /**
   * Waits until every command was answered, and ends the connection.
   * @throws Error where one was refused, with the server's words.
   */
  async finish(): Promise<void> {
    await this.send(Buffer.from('QUIT\r\n'));
    await this.closed;
    this.socket.destroy();
    const done = this.tail.endsWith('+OK\r\n') && this.failure?.message === 'The server closed the connection';
    if (!done) this.check();
  }

  /** Ends the connection at once. */
  abort(): void {
    this.socket.destroy();
  }

  private check(): void {
    if (this.failure !== undefined) throw this.failure;
  }

  private hear(chunk: Buffer): void {
    const refused = this.tail + chunk.toString('latin1');
    const at = refused.indexOf('\r\n-');
    if (at >= 0) {
      this.failure ??= new Error(`The server refused a command: ${refused.slice(at + 3).split('\r\n')[0] ?? ''}`);
      this.socket.destroy();
    }
    this.tail = refused.slice(-64);
  }
}
