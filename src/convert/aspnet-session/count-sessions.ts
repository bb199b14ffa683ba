import { z } from 'zod';
import type { RedisPort, Reply } from '../../redis/redis-port';
import { runScript } from '../../redis/scripts';
import type { Converter } from '../converter';
import type { PrepareContext } from '../converter-kind';
import type { FileCounter } from '../file-keys';
import { scripts } from './scripts';

/** Version 4 sessions found while planning, by what will happen to them. */
interface SessionCount {
  readonly sessions: number;
  /** By application name, as far as names tell: the text before a session id of ASP.NET's own form (24 of a–z, 0–5). */
  readonly byApplication: Readonly<Record<string, number>>;
  /** A request holds them at the moment. */
  readonly locked: number;
  /** Version 5 has written them on the source already: theirs stay. */
  readonly inVersion5: number;
  /** False when the time for counting was over before the end. */
  readonly complete: boolean;
}

const noSessions: SessionCount = { sessions: 0, byApplication: {}, locked: 0, inVersion5: 0, complete: true };

/** Names that one script looks at: a few milliseconds where all of them are sessions'. */
const COUNT = '1000';
const MOST_APPLICATIONS = 100;

/** Counts the sessions that a converter would convert. Throws the server's error, or the connection's. */
export async function countAllSessions(
  converter: Pick<Converter, 'claims'>,
  braceless: boolean,
  { databases, onSource, wants, until }: PrepareContext,
): Promise<SessionCount> {
  const isWanted = (key: Buffer) => converter.claims(key) && wants(key, 'hash');
  let sum = noSessions;
  for (const database of databases) {
    const counted = await onSource(database, (port) =>
      countSessions(port, isWanted, braceless, until - performance.now()),
    );
    sum = counted.reduce(addSessionCounts, sum);
  }
  return sum;
}

/**
 * Counts the sessions of one database that `claims` would convert, by walking its names. Takes `milliseconds` at most.
 * Throws the server's error, or the connection's.
 */
async function countSessions(
  port: RedisPort,
  claims: (key: Buffer) => boolean,
  braceless: boolean,
  milliseconds: number,
): Promise<SessionCount> {
  const applications = new Map<string, number>();
  let last: { readonly name: Buffer; readonly application: string } | undefined;
  let [sessions, locked, inVersion5] = [0, 0, 0];
  let complete = false;
  const end = performance.now() + milliseconds;
  const read = (from: string): Promise<Reply> =>
    runScript(port, scripts.count, [], [from, COUNT, braceless ? '1' : '0']);
  let page: Promise<Reply> | undefined = read('0');
  while (page !== undefined) {
    const reply: Reply = await page;
    const found: readonly Reply[] = Array.isArray(reply) ? reply : [];
    const cursor = String(found[0]);
    complete = cursor === '0';
    // The server goes on while these are counted here.
    page = complete || performance.now() >= end ? undefined : read(cursor);
    page?.catch(() => undefined);
    for (let i = 1; i + 1 < found.length; i += 2) {
      const [name, state] = [found[i], Number(found[i + 1])];
      if (!Buffer.isBuffer(name) || !claims(name)) continue;
      sessions++;
      if ((state & 1) !== 0) locked++;
      if ((state & 2) !== 0) inVersion5++;
      if (last === undefined || !isOfSameApplication(name, last.name))
        last = { name, application: applicationOf(name) };
      count(applications, last.application, 1);
    }
  }
  return { sessions, byApplication: Object.fromEntries(applications), locked, inVersion5, complete };
}

const amount = z.int().min(0);
/** By database: sessions, and those of each application. */
const keptCounts = z.array(z.tuple([amount, amount, z.array(z.tuple([z.string(), amount]))]));

/** Counts the sessions of a file as it is looked through: which of them are locked, or version 5's as well, is not known before its end. */
export function sessionCounter(
  { claims }: { readonly claims: Converter['claims'] },
  wants: PrepareContext['wants'],
  state: unknown = [],
): FileCounter {
  const counts = new Map(
    keptCounts
      .parse(state)
      .map(([database, sessions, applications]) => [database, { sessions, applications: new Map(applications) }]),
  );
  return {
    see: (database, key, type) => {
      if (type !== 'hash' || !isData(key) || !claims(key) || !wants(key, type)) return;
      const of = counts.get(database) ?? { sessions: 0, applications: new Map<string, number>() };
      counts.set(database, of);
      of.sessions++;
      count(of.applications, applicationOf(key), 1);
    },
    state: () => [...counts].map(([database, { sessions, applications }]) => [database, sessions, [...applications]]),
    facts: (databases) => {
      const applications = new Map<string, number>();
      let sum = 0;
      for (const of of databases.flatMap((database) => counts.get(database) ?? [])) {
        sum += of.sessions;
        for (const [name, sessions] of of.applications) count(applications, name, sessions);
      }
      return { sessions: sum, byApplication: Object.fromEntries(applications), complete: true };
    },
  };
}

function isData(key: Buffer): boolean {
  return key.subarray(-DATA.length).toString('latin1') === DATA;
}

/** The sums of several databases. */
function addSessionCounts(a: SessionCount, b: SessionCount): SessionCount {
  const applications = new Map(Object.entries(a.byApplication));
  for (const [name, sessions] of Object.entries(b.byApplication)) count(applications, name, sessions);
  return {
    sessions: a.sessions + b.sessions,
    byApplication: Object.fromEntries(applications),
    locked: a.locked + b.locked,
    inVersion5: a.inVersion5 + b.inVersion5,
    complete: a.complete && b.complete,
  };
}

const DATA = '_Data';
const ID_LENGTH = 24;
const OPEN = 0x7b;
const UNDERSCORE = 0x5f;

function applicationOf(data: Buffer): string {
  const name = data.toString('utf8');
  const braced = name.startsWith('{') && name.endsWith(`}${DATA}`);
  const appId = braced ? name.slice(1, -1 - DATA.length) : name.slice(0, -DATA.length);
  return appId.replace(/_[a-z0-5]{24}$/, '');
}

/** Whether two names differ in nothing but a session id of ASP.NET's own form: quicker to see than to take them apart. */
function isOfSameApplication(name: Buffer, other: Buffer): boolean {
  if (name.length !== other.length) return false;
  const end = name.length - DATA.length - (name[0] === OPEN ? 1 : 0);
  const start = end - ID_LENGTH;
  if (start < 1 || name[start - 1] !== UNDERSCORE) return false;
  for (let i = 0; i < start; i++) if (name[i] !== other[i]) return false;
  for (let i = start; i < end; i++) if (!isOfId(name[i] ?? 0) || !isOfId(other[i] ?? 0)) return false;
  return true;
}

function isOfId(byte: number): boolean {
  return (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x30 && byte <= 0x35);
}

function count(applications: Map<string, number>, name: string, sessions: number): void {
  const place = applications.has(name) || applications.size < MOST_APPLICATIONS ? name : '(others)';
  applications.set(place, (applications.get(place) ?? 0) + sessions);
}
