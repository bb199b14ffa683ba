import type { Socket } from 'node:net';
import type { ConnectionSettings } from './connection-settings';
import { credentialsOf, signInCommands, type CredentialSource } from './credentials';
import { EncodedCommands } from './encoded-command';
import { cutOff, endSilent } from './end-silent';
import { isRedisError, RedisError, replyError } from './errors';
import { inTime } from './first-answers';
import { infoField, modeOf } from './info';
import { openSocket, whyNotOpen } from './open-socket';
import type { Command } from './redis-port';
import { RespReader, UnreadableReplyError, type Told } from './resp-reader';

interface Waiting {
  readonly commands: readonly Command[];
  readonly encoded: EncodedCommands;
  readonly replies: Told[];
  resolve(replies: readonly Told[]): void;
  reject(error: RedisError): void;
}

export interface ReplySocketOptions {
  readonly settings: ConnectionSettings;
  readonly credentials?: CredentialSource | undefined;
  readonly clientName: string;
  /** Chosen when it signs in; 0 where it is left out. */
  readonly database?: number;
  /** Bytes of the longest string that it may be sent. */
  readonly longestString: number;
  /** Ends it while it opens, with its reason. */
  readonly signal?: AbortSignal;
  /** Told of everything that is no reply: pushes, and messages to a subscriber. */
  readonly onMessage?: (items: readonly Told[]) => void;
  /** Told once when the connection has ended after it was open, unless it was closed from here. */
  readonly onEnd: (error: RedisError) => void;
}

/**
 * A connection to one server process: signs in when it is opened, matches replies to what was sent, and is read to the last byte whatever
 * comes. It never reconnects and never resends.
 */
export class ReplySocket {
  /** What INFO server told when it signed in; empty where it is refused. */
  info = '';
  /** The run id of the server process on the other end; empty where it tells none. */
  runId = '';
  /** When its sign-in should be renewed, ms since 1970. */
  renewAt = Number.POSITIVE_INFINITY;
  private readonly waiting: Waiting[] = [];
  private readonly reader: RespReader;
  private socket: Socket | undefined;
  private reason: Error | undefined;
  private isOpen = false;
  private isClosed = false;

  private constructor(private readonly options: ReplySocketOptions) {
    const { settings, longestString } = options;
    this.reader = new RespReader({
      onValue: (value, isPush) => {
        this.told(value, isPush);
      },
      errorOf: (text, isInList) => {
        const [first] = this.waiting;
        const command = first?.commands[first.replies.length];
        return replyError(settings.name, text, isInList ? undefined : command?.[0]);
      },
      longestString,
    });
  }

  /** Connects and signs in. @throws RedisError */
  static async open(options: ReplySocketOptions): Promise<ReplySocket> {
    const opened = new ReplySocket(options);
    const { settings, signal } = options;
    const credentials = await credentialsOf(settings.name, options.credentials);
    opened.renewAt = credentials?.renewAt ?? Number.POSITIVE_INFINITY;
    signal?.throwIfAborted();
    const socket = await openSocket(
      settings,
      (bytes) => {
        opened.read(bytes);
      },
      signal,
    );
    opened.listen(socket);
    const abort = () => {
      socket.destroy(signal?.reason as Error);
    };
    signal?.addEventListener('abort', abort);
    try {
      const needed = signInCommands(settings, credentials, options.database ?? 0);
      await inTime(opened.signIn(needed), () => new RedisError('timeout', settings.name));
    } catch (error) {
      opened.close();
      throw await whyNotOpen(settings, error, signal);
    } finally {
      signal?.removeEventListener('abort', abort);
    }
    opened.isOpen = true;
    return opened;
  }

  /** How many bytes have come. */
  get bytesRead(): number {
    return this.socket?.bytesRead ?? 0;
  }

  /** Sends a command. Its secrets are in no error. @throws RedisError */
  async call(command: Command): Promise<Told> {
    const [reply = null] = await this.send([command]);
    if (reply instanceof RedisError) throw reply;
    return reply;
  }

  /** Sends commands at once; error replies stand in their places. @throws RedisError for the connection */
  send(commands: readonly Command[]): Promise<readonly Told[]> {
    const { socket } = this;
    if (socket === undefined || this.isClosed) {
      return Promise.reject(new RedisError('notOpen', this.options.settings.name));
    }
    const encoded = EncodedCommands.of(commands);
    return new Promise((resolve, reject) => {
      this.waiting.push({ commands, encoded, replies: [], resolve, reject });
      socket.cork();
      for (const piece of encoded.pieces) socket.write(piece);
      socket.uncork();
    });
  }

  /** Ends the connection at once; nobody is told, but those who wait for replies. */
  close(why?: RedisError): void {
    this.isClosed = true;
    // What nobody has answered may not have been sent yet, and is not wanted any more.
    if (this.socket !== undefined && this.waiting.length > 0) cutOff(this.socket, why);
    else this.socket?.destroy(why);
  }

  private listen(socket: Socket): void {
    this.socket = socket;
    endSilent(socket, () => this.waiting.length > 0);
    socket.on('error', (error) => (this.reason ??= error));
    socket.on('close', () => {
      const { reason } = this;
      const error =
        reason instanceof RedisError
          ? reason
          : new RedisError('connectionLost', this.options.settings.name, { cause: reason });
      for (const each of this.waiting.splice(0)) each.reject(lastWords(each) ?? error);
      if (this.isOpen && !this.isClosed) this.options.onEnd(error);
      this.isClosed = true;
    });
  }

  /**
   * Signs in, chooses the database and asks for INFO server, in one go.
   * @param needed what it cannot do without
   * @throws RedisError what the first of the answers says that it cannot do without, or what the server said before it hung up
   */
  private async signIn(needed: readonly Command[]): Promise<void> {
    const asked: Command[] = [...needed, ['INFO', 'server'], ['CLIENT', 'SETNAME', this.options.clientName]];
    const answers = await this.send(asked);
    const info = answers[needed.length];
    // Without the right to INFO a restart of the server cannot be told from a lost connection.
    const isOptional = isRedisError(info, 'noRight', 'unknownCommand');
    const refusal = answers.slice(0, needed.length + (isOptional ? 0 : 1)).find((answer) => isRedisError(answer));
    if (refusal !== undefined) throw refusal;
    if (!Buffer.isBuffer(info)) return;
    this.info = info.toString('latin1');
    this.runId = infoField(this.info, 'run_id') ?? '';
    // From 7.2: what is looked at does not count as used. Never to a node of a cluster: those of Redis 8.0.2 and Valkey 8.1.1 were seen to crash
    // at the next command for a key whose slot is on its way. Nobody waits for it: what is sent goes behind it.
    if (modeOf(this.info) === 'standalone') this.send([['CLIENT', 'NO-TOUCH', 'ON']]).catch(() => undefined);
  }

  private read(bytes: Buffer): void {
    try {
      this.reader.feed(bytes);
    } catch (error) {
      this.reason ??= error as Error;
      this.socket?.destroy();
    }
  }

  private told(value: Told, isPush: boolean): void {
    const { onMessage } = this.options;
    // A subscriber's messages come between replies, in the older protocol too; a subscription is confirmed by one of them.
    if (onMessage !== undefined && Array.isArray(value)) {
      const items = value as readonly Told[];
      const word = wordOf(items[0]);
      if (word === 'message' || word === 'pmessage' || (isPush && !word.endsWith('subscribe'))) {
        if (!this.isClosed) onMessage(items);
        return;
      }
    }
    const [first] = this.waiting;
    // Where something answers nothing, what follows may be taken for the answer to something else.
    if (first === undefined || !canAnswer(first.commands[first.replies.length], value))
      throw new UnreadableReplyError();
    if (first.replies.push(value) < first.commands.length) return;
    this.waiting.shift();
    first.encoded.release();
    first.resolve(first.replies);
  }
}

/**
 * Whether a reply can be that to a command, by those of transactions: Garnet 2.2.8 was seen to answer EXEC in the place of MULTI under load,
 * and then all that follow are those to other commands.
 */
function canAnswer(command: Command | undefined, reply: Told): boolean {
  if (isRedisError(reply)) return true;
  if (command?.[0] === 'MULTI') return wordOf(reply) === 'OK';
  return command?.[0] !== 'EXEC' || reply === null || Array.isArray(reply);
}

/** What a server said in a reply's place before it hung up. */
function lastWords({ replies }: Waiting): RedisError | undefined {
  return replies.find((reply) => isRedisError(reply, 'valueTooLong', 'protectedMode', 'tooManyClients'));
}

/** A word that a server sends, as text. */
export function wordOf(told: Told | undefined): string {
  return Buffer.isBuffer(told) ? told.toString('latin1') : '';
}
