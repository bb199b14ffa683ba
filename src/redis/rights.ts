import { isRedisError, type RedisError } from './errors';
import { emptyPayload } from './payload-version';
import type { Command, RedisPort, Reply } from './redis-port';

/** A call that passes a command's own look at its arguments. */
type Call = (key: Buffer) => Command;

const bare =
  (...command: Command): Call =>
  () =>
    command;
const on =
  (name: string, ...rest: readonly string[]): Call =>
  (key) => [name, key, ...rest];

/** Nothing is changed by these calls: on a key that nobody has, where they take one. */
const HARMLESS = {
  ASKING: bare('ASKING'),
  'CLIENT ID': bare('CLIENT', 'ID'),
  // By an address that nobody has: of some versions "ID 0" would be all.
  'CLIENT KILL': bare('CLIENT', 'KILL', '0.0.0.0:0'),
  'CLIENT LIST': bare('CLIENT', 'LIST', 'TYPE', 'pubsub'),
  'CLIENT NO-TOUCH': bare('CLIENT', 'NO-TOUCH', 'OFF'),
  'CLIENT SETNAME': bare('CLIENT', 'SETNAME', 'keyferry-probe'),
  'CLIENT TRACKING': bare('CLIENT', 'TRACKING', 'OFF'),
  CLUSTER: bare('CLUSTER', 'SLOTS'),
  'CONFIG GET': bare('CONFIG', 'GET', 'maxclients'),
  DBSIZE: bare('DBSIZE'),
  DUMP: on('DUMP'),
  EVAL: bare('EVAL', 'return 1', '0'),
  EVALSHA: bare('EVALSHA', '0'.repeat(40), '0'),
  EXEC: bare('EXEC'),
  EXISTS: on('EXISTS'),
  'FUNCTION DUMP': bare('FUNCTION', 'DUMP'),
  'FUNCTION LIST': bare('FUNCTION', 'LIST', 'LIBRARYNAME', 'keyferry:probe'),
  'FUNCTION LOAD': bare('FUNCTION', 'LOAD', 'keyferry:probe'),
  GET: on('GET'),
  GETRANGE: on('GETRANGE', '0', '0'),
  HELLO: bare('HELLO'),
  HGET: on('HGET', 'f'),
  HGETALL: on('HGETALL'),
  HLEN: on('HLEN'),
  HMGET: on('HMGET', 'f'),
  HPEXPIRETIME: on('HPEXPIRETIME', 'FIELDS', '1', 'f'),
  HSCAN: on('HSCAN', '0'),
  HSTRLEN: on('HSTRLEN', 'f'),
  INFO: bare('INFO', 'server'),
  LLEN: on('LLEN'),
  LRANGE: on('LRANGE', '0', '0'),
  'MEMORY USAGE': (key) => ['MEMORY', 'USAGE', key],
  MGET: on('MGET'),
  'MODULE LIST': bare('MODULE', 'LIST'),
  OBJECT: (key) => ['OBJECT', 'ENCODING', key],
  PERSIST: on('PERSIST'),
  PEXPIREAT: on('PEXPIREAT', 'never'),
  PEXPIRETIME: on('PEXPIRETIME'),
  PING: bare('PING'),
  PTTL: on('PTTL'),
  RESTORE: (key) => ['RESTORE', key, '1', emptyPayload(1)],
  SCAN: bare('SCAN', '0', 'COUNT', '1'),
  SCARD: on('SCARD'),
  SELECT: bare('SELECT', '0'),
  SMEMBERS: on('SMEMBERS'),
  SSCAN: on('SSCAN', '0'),
  STRLEN: on('STRLEN'),
  TIME: bare('TIME'),
  TYPE: on('TYPE'),
  UNLINK: on('UNLINK'),
  UNWATCH: bare('UNWATCH'),
  WATCH: on('WATCH'),
  XINFO: (key) => ['XINFO', 'STREAM', key],
  XLEN: on('XLEN'),
  XPENDING: on('XPENDING', 'g', '-', '+', '1'),
  XRANGE: on('XRANGE', '-', '+', 'COUNT', '1'),
  ZCARD: on('ZCARD'),
  ZRANGE: on('ZRANGE', '0', '0'),
  ZSCAN: on('ZSCAN', '0'),
} as const satisfies Readonly<Record<string, Call>>;

/** These would make a key, or end what others do: they are only ever queued, in a transaction that is not carried out. */
const QUEUED = {
  APPEND: on('APPEND', 'v'),
  DEL: on('DEL'),
  HMSET: on('HMSET', 'f', 'v'),
  HPEXPIREAT: on('HPEXPIREAT', '1', 'FIELDS', '1', 'f'),
  HSET: on('HSET', 'f', 'v'),
  PEXPIRE: on('PEXPIRE', '1'),
  PSUBSCRIBE: bare('PSUBSCRIBE', 'keyferry:none'),
  RENAME: (key) => ['RENAME', key, key],
  RENAMENX: (key) => ['RENAMENX', key, key],
  RPUSH: on('RPUSH', 'v'),
  SADD: on('SADD', 'v'),
  SET: on('SET', 'v'),
  SUBSCRIBE: bare('SUBSCRIBE', 'keyferry:none'),
  SETRANGE: on('SETRANGE', '0', 'v'),
  XADD: on('XADD', '*', 'f', 'v'),
  XCLAIM: on('XCLAIM', 'g', 'c', '0', '0-1'),
  XDEL: on('XDEL', '0-1'),
  XGROUP: (key) => ['XGROUP', 'CREATE', key, 'g', '0'],
  XREADGROUP: (key) => ['XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '1', 'STREAMS', key, '0'],
  XSETID: on('XSETID', '0-1'),
  XTRIM: on('XTRIM', 'MAXLEN', '0'),
  ZADD: on('ZADD', '0', 'v'),
} as const satisfies Readonly<Record<string, Call>>;

/** A command as ACL SETUSER knows it, in capitals; one with a blank is a sub-command. */
export type CommandName = keyof typeof HARMLESS | keyof typeof QUEUED | 'MULTI';

/** What servers have from a version on: that they do not know it says nothing of the user's rights. */
const LATER: ReadonlySet<CommandName> = new Set([
  'CLIENT ID',
  'CLIENT NO-TOUCH',
  'CLIENT TRACKING',
  'FUNCTION DUMP',
  'FUNCTION LIST',
  'FUNCTION LOAD',
  'HELLO',
  'HPEXPIREAT',
  'HPEXPIRETIME',
  'PEXPIRETIME',
]);

/** Commands that cannot be called. */
export interface RefusedCommands {
  readonly all: readonly CommandName[];
  /** Of them, those that the server does not have under this name: no matter of rights. */
  readonly unknown: readonly CommandName[];
}

/**
 * Those of the commands that a server refuses to its user, or has under no such name. Changes nothing: what would is queued in a
 * transaction that ends with the connection, and is not tried where none is asked for.
 * @param port of a connection that nobody else uses, and that is closed afterwards: a transaction stands open on it
 * @param key one that nobody has, and that the user may touch
 * @throws what passes by itself
 */
export async function refusedCommands(
  port: RedisPort,
  names: readonly CommandName[],
  key: Buffer,
): Promise<RefusedCommands> {
  const harmless = names.filter(isHarmless);
  const queued = names.filter(isQueued);
  const refusals = new Map<CommandName, RedisError>();
  await addRefusals(refusals, port, harmless, (name) => HARMLESS[name](key));
  if (names.includes('MULTI')) {
    const [begun] = await port.pipeline([['MULTI']]);
    if (begun instanceof Error) {
      passing(begun);
      refusals.set('MULTI', begun);
    } else await addRefusals(refusals, port, queued, (name) => QUEUED[name](key));
  }
  const all = names.filter((name) => refusals.has(name));
  return { all, unknown: all.filter((name) => isRedisError(refusals.get(name), 'unknownCommand')) };
}

async function addRefusals<Name extends CommandName>(
  refusals: Map<CommandName, RedisError>,
  port: RedisPort,
  names: readonly Name[],
  callOf: (name: Name) => Command,
): Promise<void> {
  const replies = await port.pipeline(names.map(callOf));
  names.forEach((name, i) => {
    const reply = replies[i];
    if (isRefusal(reply, name)) refusals.set(name, reply);
  });
}

function isRefusal(reply: Reply | RedisError | undefined, name: CommandName): reply is RedisError {
  if (!(reply instanceof Error)) return false;
  passing(reply);
  return isRedisError(reply, 'noRight') || (isRedisError(reply, 'unknownCommand') && !LATER.has(name));
}

function passing(error: RedisError): void {
  // Of a replica that refuses all writes nothing is to be learnt. A node of a cluster looks at rights before it sends a key on.
  if (error.asks === 'retry' && error.kind !== 'readOnly' && error.kind !== 'moved') throw error;
}

function isHarmless(name: CommandName): name is keyof typeof HARMLESS {
  return Object.hasOwn(HARMLESS, name);
}

function isQueued(name: CommandName): name is keyof typeof QUEUED {
  return Object.hasOwn(QUEUED, name);
}

/** Whether a user may touch a key, by a command that it may run. @throws what passes by itself */
export async function mayTouch(port: RedisPort, commands: readonly Command[]): Promise<boolean[]> {
  const replies = await port.pipeline(commands);
  return replies.map((reply) => {
    if (reply instanceof Error) passing(reply);
    return !isRedisError(reply, 'noRightToKeys');
  });
}
