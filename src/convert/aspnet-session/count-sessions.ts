import type { RedisPort } from '../../redis/redis-port';
import { classifySessionKey, type SessionKey } from './keys';
import { sessionNames } from './session-names';
import { SessionStore } from './session-store';

/** Version 4 sessions found while planning, by what will happen to them. */
export interface SessionCount {
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

export const noSessions: SessionCount = { sessions: 0, byApplication: {}, locked: 0, inVersion5: 0, complete: true };

const COUNT = '1000';
/** Sessions that one script looks at. */
const AT_ONCE = 64;
const MOST_APPLICATIONS = 100;

/**
 * Counts the sessions of one database that `claims` would convert, by walking its names. Takes `milliseconds` at most.
 * Throws the server's error, or the connection's.
 */
export async function countSessions(
  port: RedisPort,
  claims: (key: Buffer) => boolean,
  braceless: boolean,
  milliseconds: number,
): Promise<SessionCount> {
  const byApplication: Record<string, number> = {};
  let [sessions, locked, inVersion5, cursor] = [0, 0, 0, '0'];
  const store = new SessionStore(port, AT_ONCE, { items: 0, bytes: 0 });
  const end = Date.now() + milliseconds;
  do {
    const reply = await port.call('SCAN', cursor, 'MATCH', '*_Data', 'COUNT', COUNT);
    const [next, names] = Array.isArray(reply) ? reply : [];
    cursor = String(next);
    const keys = (Array.isArray(names) ? (names as Buffer[]) : [])
      .filter(claims)
      .flatMap((name) => classifySessionKey(name, { braceless }) ?? []);
    const sights = await store.look(keys.map(sessionNames));
    keys.forEach((key, i) => {
      const sight = sights[i];
      if (sight === undefined) return;
      sessions++;
      if (sight.locked) locked++;
      if (sight.newer) inVersion5++;
      count(byApplication, applicationOf(key));
    });
  } while (cursor !== '0' && Date.now() < end);
  return { sessions, byApplication, locked, inVersion5, complete: cursor === '0' };
}

/** The sums of several databases. */
export function addSessionCounts(a: SessionCount, b: SessionCount): SessionCount {
  const byApplication = { ...a.byApplication };
  for (const [name, sessions] of Object.entries(b.byApplication)) count(byApplication, name, sessions);
  return {
    sessions: a.sessions + b.sessions,
    byApplication,
    locked: a.locked + b.locked,
    inVersion5: a.inVersion5 + b.inVersion5,
    complete: a.complete && b.complete,
  };
}

function applicationOf({ appId }: SessionKey): string {
  return appId.toString('utf8').replace(/_[a-z0-5]{24}$/, '');
}

function count(byApplication: Record<string, number>, name: string, sessions = 1): void {
  const known = Object.hasOwn(byApplication, name) || Object.keys(byApplication).length < MOST_APPLICATIONS;
  const place = known ? name : '(others)';
  byApplication[place] = (Object.hasOwn(byApplication, place) ? (byApplication[place] ?? 0) : 0) + sessions;
}
