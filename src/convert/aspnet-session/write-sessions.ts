import { sessionFindings } from './finding-codes';
import { createHash } from 'node:crypto';
import { expiryByClock } from '../../redis/expiry';
import type { ConvertContext, GroupOutcome } from '../converter';
import { convertSession, DEFAULT_SESSION_LIMITS } from './convert-session';
import {
  leavesNewer,
  limitsOn,
  MOST_SESSION_BYTES,
  READ_AHEAD_BYTES,
  type SessionOptions,
  type SessionServers,
} from './session-options';
import type { SessionNames } from './session-names';
import { sessionsIn } from './sessions-in';
import {
  fingerprintOf,
  isStored,
  SessionStore,
  type SessionReader,
  type SessionState,
  type SessionToWrite,
  type StoredSession,
  type WriteMode,
} from './session-store';

/** A session that was found on the source. */
export interface SessionGroup {
  readonly names: SessionNames;
  readonly state: SessionState;
}

/** So long a locked session is looked at again, at growing intervals, before it is reported. Requests seldom take longer. */
const LOCK_MS = 10_000;
const FIRST_LOOK_MS = 20;
const LAST_LOOK_MS = 500;
/** A session that changes between reading and writing is converted again so often. */
const CHANGE_ROUNDS = 10;
const ALL_BYTES = Number.MAX_SAFE_INTEGER;

/** One session on its way. */
interface Work {
  readonly names: SessionNames;
  state: SessionState;
  /** What is on the target and may be overwritten; '' for nothing. */
  seen: string;
  /** That is a state of this session that was converted before, now or by an earlier run. */
  own: boolean;
  outcome: GroupOutcome | undefined;
}

type Reading = Work & { readonly state: StoredSession };

/** A converted session. */
interface Ready {
  readonly item: Reading;
  readonly write: SessionToWrite;
}

/**
 * Converts sessions and writes them. Each is written only over nothing, or over what was there before it was read, so
 * that of two who convert the same session the one who read it first cannot win; and looked at once more after writing,
 * so that version 4's changes in between are not lost. Safe to be called again with the same sessions.
 */
export async function writeSessions(
  groups: readonly SessionGroup[],
  options: SessionOptions,
  servers: SessionServers,
  context: ConvertContext,
): Promise<readonly GroupOutcome[]> {
  const work = groups.map(({ names, state }): Work => ({ names, state, seen: '', own: false, outcome: undefined }));
  const writing = new Writing(options, servers, context);
  await writing.settle(work.filter(({ state }) => state !== 'later'));
  for (let later = work.filter(({ state }) => state === 'later'); later.length > 0;) {
    await writing.read(later, READ_AHEAD_BYTES);
    await writing.settle(later.filter(({ state }) => state !== 'later'));
    later = later.filter(({ state }) => state === 'later');
  }
  return work.map(({ outcome }) => outcome ?? { kind: 'expired' });
}

class Writing {
  private readonly source: SessionReader;
  private readonly target: SessionStore;
  private readonly mode: WriteMode;

  constructor(
    private readonly options: SessionOptions,
    private readonly servers: SessionServers,
    private readonly context: ConvertContext,
  ) {
    this.source = sessionsIn(context.source, servers);
    this.target = new SessionStore(context.target, servers.targetAtOnce, limitsOn(servers));
    this.mode = {
      naming: context.naming,
      force: options.force || servers.follows,
      inPlace: servers.inPlace
        ? { deleteOld: !options.keepOld, thoughLocked: options.onLocked === 'convert' }
        : undefined,
    };
  }

  /** Reads sessions as they are now. */
  async read(work: readonly Work[], bytes: number): Promise<void> {
    const sessions = work.map(({ names }) => names);
    const states = await this.source.gather(sessions, bytes, leavesNewer(this.options, this.servers));
    work.forEach((item, i) => (item.state = states[i] ?? 'gone'));
  }

  /** Gives each session its outcome. */
  async settle(work: readonly Work[]): Promise<void> {
    let open = work;
    for (let round = 0; open.length > 0 && round <= CHANGE_ROUNDS; round++) {
      const { unwritten, outdated } = await this.round(await this.withoutLocked(await this.stillThere(open)));
      open = [...unwritten, ...outdated];
      await this.read(open, ALL_BYTES);
      // What is written in the last round is a newer state than the one that was first read: enough, if it still lives.
      if (round === CHANGE_ROUNDS) await this.stillThere(outdated);
    }
  }

  /** Those that are sessions to be converted; what became of the others is told. */
  private async stillThere(work: readonly Work[]): Promise<Reading[]> {
    const sessions: Reading[] = [];
    const abandoned: SessionToWrite[] = [];
    for (const item of work) {
      const { names, state, seen, own } = item;
      if (isReading(item)) {
        sessions.push(item);
        continue;
      }
      item.outcome = outcomeOfOther(item);
      // Abandoned by its user meanwhile: what was written of it must not come to life again. Where changes are followed, whoever does so
      // deletes it, once it is known that the source was not emptied.
      if (own && !this.servers.follows && (state === 'gone' || state === 'plain'))
        abandoned.push({ names, blob: undefined, timeoutText: undefined, expiry: 0, seen, fingerprint: '' });
    }
    if (abandoned.length > 0) await this.target.write(abandoned, { ...this.mode, inPlace: undefined });
    return sessions;
  }

  /** Waits while requests run on sessions, for some seconds; who is still locked then is reported. */
  private async withoutLocked(work: readonly Reading[]): Promise<Reading[]> {
    // Where changes are followed, what the request writes in the end comes then.
    if (this.options.onLocked === 'convert' || this.servers.follows) return [...work];
    const free = work.filter(({ state }) => !state.locked);
    let locked = work.filter(({ state }) => state.locked);
    const end = performance.now() + LOCK_MS;
    for (
      let wait = FIRST_LOOK_MS;
      locked.length > 0 && performance.now() < end;
      wait = Math.min(LAST_LOOK_MS, 2 * wait)
    ) {
      await this.context.pause(wait);
      await this.read(locked, ALL_BYTES);
      const there = await this.stillThere(locked);
      free.push(...there.filter(({ state }) => !state.locked));
      locked = there.filter(({ state }) => state.locked);
    }
    for (const item of locked) {
      // An older state of it is on the target: then this one is better.
      if (item.own) free.push(item);
      else
        item.outcome = failed(
          item.names,
          'locked',
          'A request holds the lock of this session; convert again when it is over, or use onLocked "convert".',
        );
    }
    return free;
  }

  /** Converts and writes once; returns what must be done again. */
  private async round(
    work: readonly Reading[],
  ): Promise<{ readonly unwritten: readonly Work[]; readonly outdated: readonly Work[] }> {
    const ready: Ready[] = [];
    for (const item of work) {
      const write = this.convert(item);
      if (write !== undefined) ready.push({ item, write });
    }
    const states = await this.target.write(
      ready.map(({ write }) => write),
      this.mode,
    );
    const unwritten: Work[] = [];
    const written: Ready[] = [];
    ready.forEach(({ item, write }, i) => {
      const state = states[i];
      if (state === undefined) throw new Error('The server answered in an unexpected form.');
      if (state === 'written') {
        const bytes = (write.blob?.length ?? 0) + (write.timeoutText?.length ?? 0);
        item.outcome = { kind: 'converted', bytes };
        item.own = true;
        written.push({ item, write });
      } else if (state === 'exists') item.outcome = { kind: 'conflict' };
      else if (state === 'expired') item.outcome = { kind: 'expired' };
      else if (typeof state === 'object' && 'refused' in state) {
        item.outcome = failed(item.names, 'refused', state.refused);
      } else {
        if (typeof state === 'object') [item.seen, item.own] = [state.there, state.own];
        item.outcome = neverStill(item.names, state === 'locked');
        unwritten.push(item);
      }
    });
    // In place the script that wrote has looked already.
    return { unwritten, outdated: this.mode.inPlace === undefined ? await this.changedSince(written) : [] };
  }

  private convert(item: Reading): SessionToWrite | undefined {
    const { nativeTypes, customSerializer, defaultTimeoutSeconds } = this.options;
    const { names, state, seen } = item;
    const { packed, sessionTimeoutText } = state;
    const result = convertSession(
      { fields: packed, sessionTimeoutText },
      { nativeTypes, ...(customSerializer === undefined ? {} : { customSerializer }) },
    );
    if (!result.ok) {
      item.outcome = failed(names, result.refusal.code, result.refusal.message);
      return undefined;
    }
    const given = defaultTimeoutSeconds === undefined ? undefined : Buffer.from(String(defaultTimeoutSeconds));
    const timeoutText = result.timeoutText ?? given;
    const expiry = expiryOf(state, timeoutText, this.context.clockOffset);
    const fingerprint = this.mode.inPlace === undefined ? '' : fingerprintOf(state);
    return { names, blob: result.collection, timeoutText, expiry, seen, fingerprint };
  }

  /** Which sessions version 4 has changed or ended since they were read. */
  private async changedSince(written: readonly Ready[]): Promise<Work[]> {
    const same = await this.source.areSame(written.map(({ item }) => item));
    const changed = written.filter((_, i) => same[i] !== true);
    return changed.map(({ item, write }) => {
      item.seen = createHash('sha1')
        .update(write.blob ?? '')
        .digest('hex');
      return item;
    });
  }
}

function isReading(item: Work): item is Reading {
  return isStored(item.state);
}

/** The session's remaining time; without one, its timeout from now; without that, none. */
function expiryOf(session: StoredSession, timeoutText: Buffer | undefined, clockOffset: number): number {
  if (session.expiry > 0) return expiryByClock(session.expiry, clockOffset);
  const seconds = Number(timeoutText?.toString('latin1') ?? 0);
  return seconds > 0 ? Math.round(session.readAt + seconds * 1_000 + clockOffset) : 0;
}

/** What is said of a session that is none to be converted, or none any more. */
function outcomeOfOther({ names, state }: Work): GroupOutcome {
  if (state === 'gone') return { kind: 'expired' };
  if (state === 'newer') return { kind: 'conflict' };
  if (state === 'large') {
    const message = `the session has more than ${DEFAULT_SESSION_LIMITS.items} items or ${MOST_SESSION_BYTES} bytes`;
    return failed(names, 'limit', message);
  }
  if (typeof state === 'object' && 'refused' in state) return failed(names, 'refused', state.refused);
  return failed(names, 'changed', "Something else was written under the session's name during the conversion.");
}

function neverStill(names: SessionNames, locked: boolean): GroupOutcome {
  const what = locked ? 'locked' : 'written to';
  const message = `The session was ${what} every time it was to be converted.`;
  return failed(names, locked ? 'locked' : 'changed', message);
}

function failed(
  { data }: SessionNames,
  code: Parameters<typeof sessionFindings.code>[0],
  message: string,
): GroupOutcome {
  return { kind: 'failed', key: data, code: sessionFindings.code(code), message };
}
