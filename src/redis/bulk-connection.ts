import type { Socket } from 'node:net';
import { wallClock } from '../basics/wall-clock';
import type { ConnectionSettings } from './connection-settings';
import { credentialsOf, signInCommands, type CredentialSource } from './credentials';
import { EncodedCommands } from './encoded-command';
import { cutOff, endSilent } from './end-silent';
import { isRedisError, RedisError, replyError } from './errors';
import { inTime } from './first-answers';
import { infoField } from './info';
import { openSocket, whyNotOpen } from './open-socket';
import type { Command, KeyedPort, StatusPort } from './redis-port';
import type { Admits, Switchable } from './lane';
import { StatusParser, UnexpectedReplyError } from './status-parser';

/** Azure closes connections that are idle for 10 minutes; one that is not used is closed before. */
const IDLE_MS = 4 * 60_000;

interface Batch {
  readonly commands: EncodedCommands;
  readonly refusals: Map<number, RedisError>;
  /** Told of replies that are strings. */
  readonly onText?: ((text: string) => void) | undefined;
  answered: number;
  resolve(refusals: ReadonlyMap<number, RedisError>): void;
  reject(error: RedisError): void;
}

/**
 * A connection to one database for writing keys by the hundred thousand a second: commands go out in one piece, and of
 * the replies only errors are looked at. A client library makes an object, a promise and several buffers for each
 * command, and a script that restores a page costs the server half as much again as the plain commands.
 * It opens when `ready` is called, never reconnects by itself and never resends.
 */
export class BulkConnection implements StatusPort, KeyedPort, Switchable {
  openings = 0;
  selected: number | undefined;
  endedFor: RedisError | undefined;
  private socket: Socket | undefined;
  private opening: Promise<void> | undefined;
  private abort = new AbortController();
  private isOpen = false;
  private renewAt = Number.POSITIVE_INFINITY;
  /** Of the open socket: what the server still owes replies for, in the order of sending. */
  private waiting: Batch[] = [];

  constructor(
    readonly settings: ConnectionSettings,
    private readonly database: number,
    private readonly clientName: string,
    private readonly credentials?: CredentialSource,
    private readonly admits?: Admits,
  ) {}

  /** The run id of the server process on the other end, as of a connection's; empty where it tells none, or is not connected. */
  processId = '';

  /** Empty while the connection is open, whatever server process answers; undefined while it is not. */
  get runId(): string | undefined {
    return this.isOpen && wallClock() < this.renewAt ? '' : undefined;
  }

  get name(): string {
    return this.settings.name;
  }

  async select(database: number): Promise<void> {
    this.selected = undefined;
    const { openings } = this;
    const refusals = await this.sendAll(EncodedCommands.of([['SELECT', String(database)]]));
    for (const error of refusals.values()) throw error;
    if (openings === this.openings) this.selected = database;
  }

  /** Opens the connection if it is not open. @throws RedisError */
  async ready(): Promise<void> {
    if (this.runId !== undefined) return;
    this.opening ??= this.open().finally(() => (this.opening = undefined));
    await this.opening;
  }

  async sendAll(commands: EncodedCommands): Promise<ReadonlyMap<number, RedisError>> {
    if (commands.count === 0) return new Map();
    const { socket } = this;
    if (socket === undefined || !this.isOpen) {
      commands.release();
      throw new RedisError('notOpen', this.settings.name);
    }
    return await this.send(socket, commands);
  }

  async sendKeyed(_keys: readonly Buffer[], encode: () => EncodedCommands): Promise<ReadonlyMap<number, RedisError>> {
    return await this.sendAll(encode());
  }

  close(why?: RedisError): void {
    if (why !== undefined && why === this.endedFor) return;
    this.endedFor = why;
    this.abort.abort(why ?? new RedisError('connectionLost', this.settings.name));
    if (this.socket !== undefined) endNow(this.socket, this.waiting, why);
  }

  private async open(): Promise<void> {
    const { name } = this.settings;
    const old = this.socket;
    this.isOpen = false;
    // Batches under way on a connection whose token has run out end with it.
    if (old !== undefined) endNow(old, this.waiting);
    this.abort = new AbortController();
    const { signal } = this.abort;
    const credentials = await credentialsOf(name, this.credentials);
    this.renewAt = credentials?.renewAt ?? Number.POSITIVE_INFINITY;
    const waiting: Batch[] = [];
    signal.throwIfAborted();
    const socket = await opened(this.settings, waiting, signal, (closed, why) => {
      if (this.socket !== closed) return;
      this.endedFor = why;
      this.socket = undefined;
      this.isOpen = false;
      this.processId = '';
    });
    this.socket = socket;
    this.waiting = waiting;
    const needed = signInCommands(this.settings, credentials, this.database);
    const handshake: Command[] = [...needed, ['CLIENT', 'SETNAME', this.clientName], ['INFO', 'server']];
    let info = '';
    try {
      const refusals = await inTime(
        this.send(socket, EncodedCommands.of(handshake), (text) => (info = text)),
        () => new RedisError('timeout', name),
      );
      for (const [place, error] of refusals) {
        // What a server says before it hangs up stands in the place of whatever was sent.
        if (place < needed.length || isRedisError(error, 'protectedMode', 'tooManyClients')) throw error;
      }
    } catch (error) {
      socket.destroy();
      throw await whyNotOpen(this.settings, error, signal);
    }
    const processId = infoField(info, 'run_id') ?? '';
    try {
      this.admits?.(processId);
    } catch (error) {
      socket.destroy();
      throw error;
    }
    this.processId = processId;
    this.openings++;
    this.selected = this.database;
    this.isOpen = true;
  }

  /** What many ranges send in one turn of the event loop goes out together: to a node of a cluster each sends only a part of a page. */
  private holdUntilTurnEnds(socket: Socket): void {
    if (socket.writableCorked > 0) return;
    socket.cork();
    setImmediate(() => {
      socket.uncork();
    });
  }

  private send(
    socket: Socket,
    commands: EncodedCommands,
    onText?: Batch['onText'],
  ): Promise<ReadonlyMap<number, RedisError>> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ commands, refusals: new Map(), onText, answered: 0, resolve, reject });
      this.holdUntilTurnEnds(socket);
      for (const piece of commands.pieces) socket.write(piece);
    });
  }
}

/** What nobody has answered may not have been sent yet, and is not wanted any more. */
function endNow(socket: Socket, waiting: readonly Batch[], why?: RedisError): void {
  if (waiting.length > 0) cutOff(socket, why);
  else socket.destroy(why);
}

async function opened(
  settings: ConnectionSettings,
  waiting: Batch[],
  signal: AbortSignal,
  onClose: (closed: Socket, why: RedisError | undefined) => void,
): Promise<Socket> {
  const { name } = settings;
  const parser = new StatusParser((error, told) => {
    if (told !== undefined) waiting[0]?.onText?.(told);
    answer(name, waiting, error);
  });
  let reason: Error | undefined;
  const read = (bytes: Buffer) => {
    try {
      parser.feed(bytes);
    } catch (error) {
      reason = error as Error;
      socket.destroy();
    }
  };
  const socket = await openSocket(settings, read, signal);
  endSilent(socket, () => waiting.length > 0, { idleMs: IDLE_MS });
  socket.on('error', (error) => (reason ??= error));
  socket.on('close', () => {
    const why = reason instanceof RedisError ? reason : undefined;
    onClose(socket, why);
    for (const batch of waiting.splice(0)) {
      // What a server says before it hangs up.
      const told = [...batch.refusals.values()].find((error) => isRedisError(error, 'valueTooLong'));
      batch.reject(told ?? why ?? new RedisError('connectionLost', name, { cause: reason }));
    }
  });
  return socket;
}

function answer(name: string, waiting: Batch[], error: string | undefined): void {
  const [batch] = waiting;
  // Where something answers nothing, what follows may be taken for the answer to something else.
  if (batch === undefined) throw new UnexpectedReplyError();
  if (error !== undefined) batch.refusals.set(batch.answered, replyError(name, error));
  batch.answered++;
  if (batch.answered < batch.commands.count) return;
  waiting.shift();
  batch.commands.release();
  batch.resolve(batch.refusals);
}
