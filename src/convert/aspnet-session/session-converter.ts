import { createHash } from 'node:crypto';
import type { RedisPort } from '../../redis/redis-port';
import { pause } from '../../transfer/stop';
import type { ConvertContext, Converter, Gathered, Group, GroupOutcome } from '../converter';
import { convertSession, DEFAULT_SESSION_LIMITS } from './convert-session';
import { belongsToApplications, classifySessionKey, v4KeyNames, v5KeyNames, type SessionKey } from './keys';
import { hasStreamHeader } from './nrbf/records';
import {
  SessionStore,
  type SessionLimitsOnServer,
  type SessionState,
  type SessionToWrite,
  type StoredSession,
  type WriteState,
} from './session-store';

/** What a request may say about the conversion. */
export interface SessionOptions {
  readonly nativeTypes: boolean;
  readonly customSerializer?: 'json' | undefined;
  /** Only these application names; all when empty. */
  readonly applications: readonly string[];
  /** Names without braces, as 1.x wrote them, too. */
  readonly braceless: boolean;
  /** In place: false deletes version 4's keys after each success. */
  readonly keepOld: boolean;
  readonly onLocked: 'retry' | 'convert';
  /** Seconds to write where version 4 has no timeout; undefined leaves the key out. */
  readonly defaultTimeoutSeconds?: number | undefined;
  /** Overwrite sessions that version 5 has written. */
  readonly force: boolean;
}

/** What the servers allow, and how they stand to each other. */
export interface SessionServers {
  readonly inPlace: boolean;
  /** Sessions that one script may touch, on each side. */
  readonly sourceAtOnce: number;
  readonly targetAtOnce: number;
  /** MEMORY USAGE may be asked on the source. */
  readonly memoryUsage: boolean;
}

/** A locked session is looked at again this often before it is reported. A request seldom takes longer. */
const LOCK_ROUNDS = 20;
const LOCK_MS = 500;
/** A session that changes between reading and writing is converted again so often. */
const CHANGE_ROUNDS = 10;
const MOST_BYTES = 64 * 1_048_576;

/** ASP.NET sessions of RedisSessionStateProvider 1–4 become those of version 5. */
export class SessionConverter implements Converter {
  readonly name = 'aspnet-session-v5';

  constructor(
    private readonly options: SessionOptions,
    private readonly servers: SessionServers,
  ) {}

  claims(key: Buffer): boolean {
    return this.sessionKey(key) !== undefined;
  }

  nameAfter(key: Buffer): Buffer | undefined {
    const session = this.sessionKey(key);
    return session?.role === 'data' ? v5KeyNames(session.appId).data : undefined;
  }

  async gather(source: RedisPort, keys: readonly Buffer[]): Promise<Gathered> {
    const leaders: { name: Buffer; key: SessionKey }[] = [];
    const members: { name: Buffer; key: SessionKey }[] = [];
    for (const name of keys) {
      const key = this.sessionKey(name);
      if (key !== undefined) (key.role === 'data' ? leaders : members).push({ name, key });
    }
    const store = new SessionStore(source, this.servers.sourceAtOnce);
    const states = await store.gather(
      leaders.map(({ key }) => key),
      this.limits(),
    );
    const groups: Group[] = [];
    const plain: Buffer[] = [];
    const sums = { converted: 0, skipped: 0, conflicts: 0, gone: 0, bytes: 0 };
    states.forEach((state, i) => {
      const leader = leaders[i];
      if (leader === undefined) return;
      if (state === 'gone') sums.gone++;
      else if (state === 'newer') sums.conflicts++;
      else if (state === 'plain') plain.push(leader.name);
      else if (state === 'large') groups.push({ large: leader.name } satisfies LargeSession);
      else if (isNoSession(state)) plain.push(leader.name);
      else {
        groups.push(state);
        sums.bytes += state.bytes;
      }
    });
    (await store.members(members)).forEach((state, i) => {
      const name = members[i]?.name;
      if (name === undefined) return;
      if (state === 'member') sums.converted++;
      else if (state === 'alone') sums.skipped++;
      else if (state === 'gone') sums.gone++;
      else plain.push(name);
    });
    return { groups, plain, ...sums };
  }

  async write(groups: readonly Group[], context: ConvertContext): Promise<readonly GroupOutcome[]> {
    const outcomes = new Map<Group, GroupOutcome>();
    const ready: Work[] = [];
    for (const group of groups) {
      if (isLarge(group)) {
        const message = `the session has more than ${DEFAULT_SESSION_LIMITS.items} items or ${MOST_BYTES} bytes`;
        outcomes.set(group, { kind: 'failed', key: group.large, code: 'session-limit', message });
      } else {
        ready.push({ group, session: group as StoredSession, overwrite: this.options.force ? '*' : '' });
      }
    }
    for (let round = 0, open = ready; open.length > 0; round++) {
      const last = round >= CHANGE_ROUNDS;
      open = await this.writeRound(open, context, outcomes, last);
    }
    return groups.map((group) => outcomes.get(group) ?? { kind: 'expired' });
  }

  /** Converts and writes once; returns what must be done again, since it changed meanwhile. */
  private async writeRound(
    work: readonly Work[],
    context: ConvertContext,
    outcomes: Map<Group, GroupOutcome>,
    last: boolean,
  ): Promise<Work[]> {
    const source = new SessionStore(context.source, this.servers.sourceAtOnce);
    const target = new SessionStore(context.target, this.servers.targetAtOnce);
    const unlocked = await this.waitForLocks(work, source, context, outcomes);
    const toWrite: { readonly work: Work; readonly write: SessionToWrite }[] = [];
    for (const item of unlocked) {
      const write = this.convert(item, context, outcomes);
      if (write !== undefined) toWrite.push({ work: item, write });
    }
    const inPlace = this.servers.inPlace
      ? { deleteOld: !this.options.keepOld, thoughLocked: this.options.onLocked === 'convert' }
      : undefined;
    const states = await target.write(
      toWrite.map(({ write }) => write),
      context.naming,
      inPlace,
    );
    const again: Work[] = [];
    const written: typeof toWrite = [];
    states.forEach((state, i) => {
      const item = toWrite[i];
      if (item === undefined) return;
      if (state === 'changed' || state === 'locked') again.push(item.work);
      else if (state === 'written') written.push(item);
      outcomes.set(item.work.group, outcomeOf(state, item.write));
    });
    const changed = inPlace === undefined ? await this.changedSince(written, source) : [];
    return last ? [] : await this.readAgain([...again, ...changed], source, target, context, outcomes);
  }

  /** Across servers: which sessions version 4 has written since they were read. */
  private async changedSince(
    written: readonly { readonly work: Work; readonly write: SessionToWrite }[],
    source: SessionStore,
  ): Promise<Work[]> {
    const prints = await source.fingerprints(written.map(({ work }) => work.session.key));
    return written.flatMap(({ work, write }, i) => {
      if (prints[i] === work.session.fingerprint) return [];
      return [{ ...work, overwrite: this.options.force ? '*' : sha1(write.blob ?? Buffer.alloc(0)) }];
    });
  }

  private async readAgain(
    work: readonly Work[],
    source: SessionStore,
    target: SessionStore,
    context: ConvertContext,
    outcomes: Map<Group, GroupOutcome>,
  ): Promise<Work[]> {
    const states = await source.gather(
      work.map(({ session }) => session.key),
      this.limits(),
    );
    const again: Work[] = [];
    const abandoned: SessionToWrite[] = [];
    states.forEach((state, i) => {
      const item = work[i];
      if (item === undefined) return;
      if (typeof state === 'object') {
        again.push({ ...item, session: state });
        return;
      }
      // Abandoned by the user meanwhile: what we wrote of it must not come to life again.
      if (state === 'gone' && item.overwrite !== '' && item.overwrite !== '*') {
        const { key, fingerprint } = item.session;
        const { overwrite } = item;
        abandoned.push({ key, blob: undefined, timeoutText: undefined, expiry: 0, overwrite, fingerprint });
      }
      outcomes.set(item.group, vanished(state, item.session));
    });
    await target.write(abandoned, context.naming, undefined);
    return again;
  }

  /** Waits while requests run on sessions, for some seconds; who is still locked then is reported. */
  private async waitForLocks(
    work: readonly Work[],
    source: SessionStore,
    context: ConvertContext,
    outcomes: Map<Group, GroupOutcome>,
  ): Promise<Work[]> {
    if (this.options.onLocked === 'convert') return [...work];
    const free = work.filter(({ session }) => !session.locked);
    let locked = work.filter(({ session }) => session.locked);
    for (let round = 0; locked.length > 0 && round < LOCK_ROUNDS; round++) {
      await pause(LOCK_MS, context.stop);
      const states = await source.gather(
        locked.map(({ session }) => session.key),
        this.limits(),
      );
      const still: Work[] = [];
      states.forEach((state, i) => {
        const item = locked[i];
        if (item === undefined) return;
        if (typeof state !== 'object') outcomes.set(item.group, vanished(state, item.session));
        else if (state.locked) still.push({ ...item, session: state });
        else free.push({ ...item, session: state });
      });
      locked = still;
    }
    for (const { group, session } of locked) {
      const message =
        'A request holds the lock of this session; convert again when it is over, or use onLocked "convert".';
      outcomes.set(group, failed(session, 'session-locked', message));
    }
    return free;
  }

  private convert(
    { group, session, overwrite }: Work,
    context: ConvertContext,
    outcomes: Map<Group, GroupOutcome>,
  ): SessionToWrite | undefined {
    const { nativeTypes, customSerializer, defaultTimeoutSeconds } = this.options;
    const result = convertSession(session, {
      nativeTypes,
      ...(customSerializer === undefined ? {} : { customSerializer }),
    });
    if (!result.ok) {
      outcomes.set(group, failed(session, `session-${result.refusal.code}`, result.refusal.message));
      return undefined;
    }
    const timeoutText =
      result.timeoutText ??
      (defaultTimeoutSeconds === undefined ? undefined : Buffer.from(String(defaultTimeoutSeconds)));
    return {
      key: session.key,
      blob: result.collection,
      timeoutText,
      expiry: expiryOf(session, timeoutText, context.clockOffset),
      overwrite,
      fingerprint: session.fingerprint,
    };
  }

  private sessionKey(name: Buffer): SessionKey | undefined {
    const key = classifySessionKey(name, { braceless: this.options.braceless });
    if (key?.version !== 4) return undefined;
    const { applications } = this.options;
    return applications.length === 0 || belongsToApplications(key.appId, applications) ? key : undefined;
  }

  private limits(): SessionLimitsOnServer {
    return { items: DEFAULT_SESSION_LIMITS.items, bytes: this.servers.memoryUsage ? MOST_BYTES : 0 };
  }
}

interface Work {
  readonly group: Group;
  readonly session: StoredSession;
  readonly overwrite: string;
}

interface LargeSession {
  readonly large: Buffer;
}

function isLarge(group: Group): group is LargeSession {
  return 'large' in group;
}

/** A hash that is called like a session's, but has no internal hash and no value of BinaryFormatter. */
function isNoSession({ sessionTimeoutText, fields }: StoredSession): boolean {
  return sessionTimeoutText === undefined && !fields.some(([, value]) => hasStreamHeader(value));
}

/** The session's remaining time; without one, its timeout from now; without that, none. */
function expiryOf(session: StoredSession, timeoutText: Buffer | undefined, clockOffset: number): number {
  if (session.expiry > 0) return Math.round(session.expiry + clockOffset);
  const seconds = Number(timeoutText?.toString('latin1') ?? 0);
  return seconds > 0 ? Math.round(session.readAt + seconds * 1_000 + clockOffset) : 0;
}

function outcomeOf(state: WriteState, { key, blob, timeoutText }: SessionToWrite): GroupOutcome {
  switch (state) {
    case 'written':
      return { kind: 'converted', bytes: (blob?.length ?? 0) + (timeoutText?.length ?? 0) };
    case 'exists':
      return { kind: 'conflict' };
    case 'expired':
      return { kind: 'expired' };
    case 'changed':
    case 'locked':
      return {
        kind: 'failed',
        key: v4KeyNames(key.appId, key.braced).data,
        code: `session-${state}`,
        message: `The session was ${state === 'locked' ? 'locked' : 'written to'} every time it was to be converted.`,
      };
  }
}

/** What is said of a session that was one when it was first read, and is none any more. */
function vanished(state: Exclude<SessionState, StoredSession>, session: StoredSession): GroupOutcome {
  if (state === 'gone') return { kind: 'expired' };
  if (state === 'newer') return { kind: 'conflict' };
  return failed(
    session,
    'session-changed',
    "Something else was written under the session's name during the conversion.",
  );
}

function failed(session: StoredSession, code: string, message: string): GroupOutcome {
  return { kind: 'failed', key: v4KeyNames(session.key.appId, session.key.braced).data, code, message };
}

function sha1(blob: Buffer): string {
  return createHash('sha1').update(blob).digest('hex');
}
