import { isRedisError, type RedisError } from './errors';
import { hasKeyspace, parseKeyspace } from './info';
import type { Command, RedisPort, Reply } from './redis-port';

/** How many keys a database holds. */
export interface DatabaseKeys {
  readonly database: number;
  /** Keys, with those that have expired and are not yet reaped; undefined where the server does not tell. */
  readonly keys?: number | undefined;
  /** Keys that have an expiry, where INFO tells. */
  readonly expires?: number | undefined;
}

/** What a server tells of its databases. */
export interface Databases {
  /** Those that hold keys, or may hold some. */
  readonly databases: readonly DatabaseKeys[];
  /** There may be databases besides, of which nothing is known. Otherwise those not listed hold no keys. */
  readonly moreDatabases?: true;
}

/** Gives a call a connection to database 0 that nobody else uses, and closes it afterwards. */
export type OnOwnConnection = <T>(call: (port: RedisPort) => Promise<T>) => Promise<T>;

/** How many databases are tried, from 0 upward, on a server that does not list those that have keys. */
const MOST_DATABASES = 1_024;

/**
 * The databases of a server, from its plain INFO; where that has no Keyspace section, from INFO keyspace; where that has none
 * either, from SELECT and DBSIZE of one database after another until there is none, at most 1,024. Of what is refused
 * nothing is known.
 * @param size DBSIZE of database 0, where it is known: a Keyspace section that hides the keys of that is none
 * @throws what passes by itself
 */
export async function readDatabases(
  port: RedisPort,
  info: string,
  size: number | undefined,
  onOwnConnection: OnOwnConnection | undefined,
): Promise<Databases> {
  const told = fromKeyspace(info, size);
  if (told !== undefined) return told;
  const [section] = await port.pipeline([['INFO', 'keyspace']]);
  const toldApart = fromKeyspace(isAnswer(section) ? textOf(section) : '', size);
  if (toldApart !== undefined) return toldApart;
  if (onOwnConnection === undefined) return { databases: [{ database: 0, keys: size }], moreDatabases: true };
  return await onOwnConnection(countEach);
}

function fromKeyspace(info: string, size: number | undefined): Databases | undefined {
  if (!hasKeyspace(info)) return undefined;
  const databases = parseKeyspace(info);
  const hidden = (size ?? 0) > 0 && !databases.some(({ database }) => database === 0);
  return hidden ? undefined : { databases };
}

/** Leaves the connection in another database than it was in. */
async function countEach(port: RedisPort): Promise<Databases> {
  // Without SELECT, which a user or a proxy may refuse.
  const [first] = await port.pipeline([['DBSIZE']]);
  const databases: DatabaseKeys[] = [{ database: 0, keys: sizeOf(first) }];
  for (let from = 1, to = 16; from < MOST_DATABASES; from = to, to = Math.min(MOST_DATABASES, to * 4)) {
    const numbers = Array.from({ length: to - from }, (_, i) => from + i);
    const replies = await port.pipeline(
      numbers.flatMap((database): Command[] => [['SELECT', String(database)], ['DBSIZE']]),
    );
    for (const [place, database] of numbers.entries()) {
      const selected = replies[place * 2];
      if (!isAnswer(selected)) {
        return isRedisError(selected, 'noSuchDatabase')
          ? { databases: databases.filter(({ keys }) => keys !== 0) }
          : { databases, moreDatabases: true };
      }
      databases.push({ database, keys: sizeOf(replies[place * 2 + 1]) });
    }
  }
  return { databases, moreDatabases: true };
}

/** A reply of DBSIZE as a number; undefined where it was refused. @throws what passes by itself */
export function sizeOf(reply: Reply | RedisError | undefined): number | undefined {
  if (!isAnswer(reply)) return undefined;
  const text = textOf(reply);
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

function isAnswer(reply: Reply | RedisError | undefined): reply is Reply {
  if (reply instanceof Error && reply.asks === 'retry') throw reply;
  return reply !== undefined && !(reply instanceof Error);
}

function textOf(reply: Reply): string {
  return Buffer.isBuffer(reply) ? reply.toString('latin1') : String(reply);
}

/** Keys of one database; undefined where that is not known. A server that loads tells numbers that mean nothing. */
export function keysIn(facts: Databases & { readonly loading?: boolean }, database: number): number | undefined {
  if (facts.loading === true) return undefined;
  const line = facts.databases.find((known) => known.database === database);
  if (line !== undefined) return line.keys;
  return facts.moreDatabases === true ? undefined : 0;
}

/** Keys of several databases; undefined where any of them is not known. */
export function keysInAll(
  facts: Databases & { readonly loading?: boolean },
  databases: Iterable<number>,
): number | undefined {
  return sumOfKnown([...databases].map((database) => keysIn(facts, database)));
}

/** A sum; undefined where any part of it is. */
export function sumOfKnown(parts: readonly (number | undefined)[]): number | undefined {
  return parts.reduce((sum, part) => (sum === undefined || part === undefined ? undefined : sum + part), 0);
}
