import type { Socket } from 'node:net';
import type { ConnectionSettings } from './connection-settings';
import { credentialsOf, type CredentialSource } from './credentials';
import { encode } from './encoded-command';
import { RedisError, replyError } from './errors';
import { inTime } from './first-answers';
import { infoField } from './info';
import { openSocket } from './open-socket';
import type { Command } from './redis-port';
import { ReplyError, RespReader, type Told } from './resp-reader';

/** A server that sends no byte for so long while it owes replies is gone. */
const SILENCE_TIMEOUT_MS = 60_000;

interface Waiting {
  readonly sent: string;
  resolve(value: Told): void;
  reject(error: RedisError): void;
}

export interface FeedSocketOptions {
  readonly settings: ConnectionSettings;
  readonly credentials?: CredentialSource | undefined;
  readonly clientName: string;
  /** Told of everything that is no reply: pushes, and messages to a subscriber. */
  readonly onMessage: (items: readonly Told[]) => void;
  /** Told once when the connection has ended, for whatever reason, unless it was closed from here. */
  readonly onEnd: (error: RedisError) => void;
}

/**
 * A connection that is read to the last byte whatever comes: what a server has to tell of changed keys waits in its own memory while
 * nobody reads. Never reconnects, and never stops reading its socket.
 */
export class FeedSocket {
  /** The run id of the server process on the other end; empty where it tells none. */
  runId = '';
  /** When its sign-in should be renewed, ms since 1970. */
  renewAt = Number.POSITIVE_INFINITY;
  private readonly waiting: Waiting[] = [];
  private isClosed = false;

  private constructor(
    private readonly socket: Socket,
    private readonly options: FeedSocketOptions,
  ) {
    const reader = new RespReader((value, isPush) => {
      this.told(value, isPush);
    });
    let reason: Error | undefined;
    socket.setTimeout(SILENCE_TIMEOUT_MS, () => {
      if (this.waiting.length > 0) socket.destroy();
    });
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.feed(chunk);
      } catch (error) {
        reason = error as Error;
        socket.destroy();
      }
    });
    socket.on('error', (error) => (reason ??= error));
    socket.on('close', () => {
      const error = new RedisError('connectionLost', options.settings.name, { cause: reason });
      for (const each of this.waiting.splice(0)) each.reject(error);
      if (!this.isClosed) options.onEnd(error);
      this.isClosed = true;
    });
  }

  /** Connects and signs in. @throws RedisError */
  static async open(options: FeedSocketOptions): Promise<FeedSocket> {
    const { settings } = options;
    const credentials = await credentialsOf(settings.name, options.credentials);
    let opened = false as boolean;
    const socket = new FeedSocket(await openSocket(settings), {
      ...options,
      onEnd: (error) => {
        if (opened) options.onEnd(error);
      },
    });
    socket.renewAt = credentials?.renewAt ?? Number.POSITIVE_INFINITY;
    const username = credentials?.username ?? settings.username;
    const password = credentials?.password ?? settings.password;
    try {
      await inTime(
        (async () => {
          if (password !== undefined) {
            await socket.call(username === undefined ? ['AUTH', password] : ['AUTH', username, password]);
          }
          await socket.call(['CLIENT', 'SETNAME', options.clientName]).catch(() => undefined);
          const info = await socket.call(['INFO', 'server']).catch(() => null);
          socket.runId = Buffer.isBuffer(info) ? (infoField(info.toString('latin1'), 'run_id') ?? '') : '';
          // Should the first ones have failed for the connection's sake, this one tells.
          await socket.call(['PING']);
        })(),
        () => new RedisError('timeout', settings.name),
      );
    } catch (error) {
      socket.close();
      throw error;
    }
    opened = true;
    return socket;
  }

  /** Sends a command. Its secrets are in no error. @throws RedisError */
  async call(command: Command): Promise<Told> {
    const { name } = this.options.settings;
    if (this.isClosed) throw new RedisError('notOpen', name);
    const reply = await new Promise<Told>((resolve, reject) => {
      this.waiting.push({ sent: command[0], resolve, reject });
      this.socket.write(encode(command));
    });
    if (reply instanceof ReplyError) throw replyError(name, reply.text, command[0]);
    return reply;
  }

  /** Ends the connection; nobody is told. */
  close(): void {
    this.isClosed = true;
    this.socket.destroy();
  }

  private told(value: Told, isPush: boolean): void {
    // A subscriber's messages come between replies, in the older protocol too; a subscription is confirmed by one of them.
    const items = Array.isArray(value) ? (value as readonly Told[]) : undefined;
    const word = items === undefined ? '' : wordOf(items[0]);
    if (items !== undefined && (word === 'message' || word === 'pmessage' || (isPush && !word.endsWith('subscribe')))) {
      if (!this.isClosed) this.options.onMessage(items);
      return;
    }
    this.waiting.shift()?.resolve(value);
  }
}

/** A word that a server sends, as text. */
export function wordOf(told: Told | undefined): string {
  return Buffer.isBuffer(told) ? told.toString('latin1') : typeof told === 'string' ? told : '';
}
