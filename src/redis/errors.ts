import { safeText } from '../basics/safe-text';
import { SLOTS } from '../keyspace/hash-slot';
import { errorKinds, sentenceOf, type ErrorAsks, type ErrorDetails, type ErrorKind } from './error-kinds';

export type { ErrorAsks, ErrorKind } from './error-kinds';

/**
 * What a connection or a reply has gone wrong by. Made where it comes in, from then on told apart by its kind. Its message
 * is for people: it names the connection and what to do, and has no address, user name, secret or key in it.
 */
export class RedisError extends Error {
  /** The command that was refused, in capitals, where that is known. */
  readonly command: string | undefined;
  /** Where a node of a cluster sends the caller. */
  readonly redirect: Redirect | undefined;

  constructor(
    readonly kind: ErrorKind,
    /** The name of the connection it came from. */
    readonly connection: string,
    {
      cause,
      redirect,
      ...details
    }: ErrorDetails & { readonly cause?: unknown; readonly redirect?: Redirect | undefined } = {},
  ) {
    super(sentenceOf(kind, connection, details), cause === undefined ? undefined : { cause });
    this.name = 'RedisError';
    this.command = details.command;
    this.redirect = redirect;
  }

  get asks(): ErrorAsks {
    return errorKinds[this.kind].asks;
  }
}

/** `moved`: another node owns the slot; `ask`: its keys are on their way there, and this one command is to be tried there. */
export interface Redirect {
  readonly kind: 'moved' | 'ask';
  readonly slot: number;
  /** Empty, or "?", where the node does not tell it: its own. */
  readonly host: string;
  readonly port: number;
}

/**
 * Reads "MOVED 3999 127.0.0.1:6381"; undefined for any other reply. A host may be missing, an IPv6 address, or "?".
 * @see https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#redirection-and-resharding
 */
export function readRedirect(reply: string): Redirect | undefined {
  const [, word, slot, host = '', port] = /^-?(MOVED|ASK) (\d{1,5}) (.*):(\d{1,5})$/.exec(reply.trim()) ?? [];
  if (word === undefined || Number(slot) >= SLOTS || Number(port) < 1 || Number(port) > 65_535) return undefined;
  return { kind: word === 'ASK' ? 'ask' : 'moved', slot: Number(slot), host, port: Number(port) };
}

/** What an error asks for; undefined for one that came from no Redis. */
export function asksOf(error: unknown): ErrorAsks | undefined {
  return error instanceof RedisError ? error.asks : undefined;
}

/** Whether an error is one of these kinds, or of any where none is named. */
export function isRedisError(error: unknown, ...kinds: readonly ErrorKind[]): error is RedisError {
  return error instanceof RedisError && (kinds.length === 0 || kinds.includes(error.kind));
}

/** Whether a server ended the connection for the size of what it was sent, or asked for. */
export function isTooLong(error: unknown): error is RedisError {
  return isRedisError(error, 'valueTooLong', 'replyTooLong');
}

/** Of a reply that is told as it is. */
const LONGEST = 200;

const BY_FIRST_WORD: ReadonlyMap<string, ErrorKind> = new Map(
  Object.entries({
    ASK: 'moved',
    BUSY: 'busyScript',
    BUSYKEY: 'keyExists',
    CLUSTERDOWN: 'clusterDown',
    DENIED: 'protectedMode',
    EXECABORT: 'transactionDiscarded',
    LOADING: 'loading',
    MASTERDOWN: 'masterDown',
    MISCONF: 'notSaved',
    MOVED: 'moved',
    NOAUTH: 'passwordMissing',
    NOGROUP: 'noSuchGroup',
    NOREPLICAS: 'tooFewReplicas',
    NOSCRIPT: 'scriptUnknown',
    OOM: 'outOfMemory',
    READONLY: 'readOnly',
    TRYAGAIN: 'tryAgain',
    UNBLOCKED: 'unblocked',
    WRONGPASS: 'passwordWrong',
    WRONGTYPE: 'wrongType',
  } as const),
);

/** Replies whose first word is ERR, or that say more than it, as servers of all versions and their kin word them. */
const BY_WORDS: readonly (readonly [RegExp, ErrorKind])[] = [
  [/without any password configured|no password is set/i, 'passwordNotAsked'],
  [/invalid password|invalid username-password/i, 'passwordWrong'],
  // The last of 6.0 inside a script.
  [/permissions to access|one of the keys used as arguments|can't access at least one of the keys/i, 'noRightToKeys'],
  // Inside a script the reply does not begin with NOPERM: 6.0, then 7.0 and above.
  [/NOPERM|can't run this command|ACL failure in script/, 'noRight'],
  [/unknown command/i, 'unknownCommand'],
  [/Bad data format/i, 'payloadUnreadable'],
  [/DUMP payload version or checksum/i, 'payloadVersion'],
  [/max number of clients/i, 'tooManyClients'],
  [/DB index is out of range|invalid DB index|SELECT is not allowed in cluster mode/i, 'noSuchDatabase'],
  [/Protocol error: invalid bulk length|maximum allowed size \(proto-max-bulk-len\)/i, 'valueTooLong'],
  [/invalid cursor/i, 'wrongCursor'],
  [/no such key|requires the key to exist/i, 'noSuchKey'],
  // What a script says of a key that is on another node.
  [/access a non local key in a cluster node/i, 'moved'],
  // And while the node that runs it holds the cluster for down: a script without KEYS is begun all the same.
  [/while the cluster is down/i, 'clusterDown'],
];

/**
 * The error for the text of an error reply. Told apart by its first word, which servers of all versions keep.
 * @param sent the name of the command that it answers, where one is known
 */
export function replyError(connection: string, reply: string, sent?: string): RedisError {
  // EXEC itself says from 7.0 what a transaction was refused for.
  const text = reply.replace(/^-?EXECABORT Transaction discarded because of: /, '');
  const first = BY_FIRST_WORD.get(firstWord(text));
  const kind = first ?? BY_WORDS.find(([words]) => words.test(text))?.[1] ?? 'refused';
  const command = commandOf(kind, text, sent);
  const words = kind === 'refused' ? safeText(withoutArguments(text).trim(), LONGEST) : undefined;
  const redirect = kind === 'moved' ? readRedirect(text) : undefined;
  return new RedisError(kind, connection, { command, words, redirect, cause: withoutArguments(reply) });
}

const BY_CODE: readonly (readonly [RegExp, ErrorKind])[] = [
  [/ENOTFOUND|EAI_/, 'hostUnknown'],
  [/EHOSTUNREACH|ENETUNREACH|ENETDOWN|EHOSTDOWN/, 'hostUnreachable'],
  [/ECONNREFUSED/, 'connectionRefused'],
  [/ETIMEDOUT/, 'timeout'],
  [/wrong.version.number|packet.length.too.long|EPROTO/i, 'notTls'],
  [/CERT_|_CERT|SELF_SIGNED|ERR_TLS/, 'certificate'],
];

/**
 * The error for a connection that cannot be opened or has ended: by the code of the operating system or of TLS, otherwise
 * by what it says.
 * @param otherwise where neither tells
 */
export function socketError(connection: string, error: unknown, otherwise: ErrorKind): RedisError {
  if (error instanceof RedisError) return error;
  const code = errorCode(error);
  const text = error instanceof Error ? error.message : String(error);
  const kind =
    BY_CODE.find(([codes]) => codes.test(code))?.[1] ??
    (/timed out/i.test(text) ? 'timeout' : undefined) ??
    (otherwise === 'closedAtOnce' && text.includes('unexpected form') ? 'notRedis' : undefined) ??
    (/wrong version number|packet length too long/i.test(text) ? 'notTls' : undefined) ??
    (/certificate/i.test(text) ? 'certificate' : undefined);
  return new RedisError(kind ?? otherwise, connection, { ...(code === '' ? {} : { code }), cause: error });
}

function errorCode(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}

/**
 * The first word of an error reply, for example "WRONGTYPE". From a script, servers before 7.0 put the line and "-"
 * before it: "@user_script: 30: -OOM command not allowed …".
 */
function firstWord(message: string): string {
  return /^(?:.*@user_script: ?\d+: )?-?([A-Za-z_]+)/s.exec(message)?.[1] ?? '';
}

function commandOf(kind: ErrorKind, text: string, sent: string | undefined): string | undefined {
  if (kind !== 'noRight' && kind !== 'unknownCommand') return undefined;
  const told = /(?:run the|command) ['`‘"]([a-z0-9|_.-]{1,60})/i.exec(text)?.[1];
  // Of what a script calls the server before 7.0 does not say the name, and EVAL is not it.
  return (told ?? (/script/i.test(text) ? undefined : sent))?.toUpperCase();
}

/** Without what a server repeats of a command's arguments, which may be key names and values. */
function withoutArguments(reply: string): string {
  return reply.replace(/,? with args beginning with:.*$/s, '');
}
