import { createHash } from 'node:crypto';
import type { Argument, RedisPort, Reply } from '../../redis/redis-port';
import { runScript, type Script } from '../../redis/scripts';
import { inBatches, type Refused } from '../batches';
import { v4KeyName, type SessionKey } from './keys';
import { scripts } from './scripts';
import type { SessionNames } from './session-names';

/** A version 4 session as it stood at one moment. */
export interface StoredSession {
  /** Fields and values in HGETALL's order; see unpackFields. Many small objects would not fit the time that pages wait. */
  readonly packed: Buffer;
  readonly sessionTimeoutText: Buffer | undefined;
  /** Absolute expiry in ms of the server's clock; 0: none. */
  readonly expiry: number;
  readonly locked: boolean;
  /** The server's clock when it was read, ms since 1970. */
  readonly readAt: number;
}

/** What the server has under a session's data name; see session-gather.lua. */
export type SessionState = StoredSession | Refused | 'gone' | 'plain' | 'newer' | 'large' | 'later';

/** What became of one written session; see session-write.lua. */
export type WriteState =
  Refused | { readonly there: string; readonly own: boolean } | 'written' | 'exists' | 'changed' | 'locked' | 'expired';

export interface SessionToWrite {
  readonly names: SessionNames;
  /** undefined: take back what we wrote before. */
  readonly blob: Buffer | undefined;
  readonly timeoutText: Buffer | undefined;
  /** Absolute expiry in ms of the target's clock; 0: none. */
  readonly expiry: number;
  /** What was seen there and may be overwritten: a SHA-1, as the script told it or of what we wrote; '' for nothing. */
  readonly seen: string;
  /** In place: of the session that was read. */
  readonly fingerprint: string;
}

export interface SessionLimitsOnServer {
  readonly items: number;
  /** 0 where sizes cannot be asked. */
  readonly bytes: number;
}

/** A key beside a session's data: its internal hash, its lock, or one of version 5's keys. */
export interface SessionMember {
  readonly name: Buffer;
  readonly key: SessionKey;
}

/** How version 5's sessions are written. */
export interface WriteMode {
  readonly naming: (key: Buffer) => Buffer;
  /** Version 5's sessions may be overwritten. */
  readonly force: boolean;
  /** Version 4's keys are on this server: checked against the fingerprint, deleted after where asked. */
  readonly inPlace: { readonly deleteOld: boolean; readonly thoughLocked: boolean } | undefined;
}

/** Reads sessions where version 4 left them. */
export interface SessionReader {
  /**
   * @param bytes after which sessions are only named ("later"); the first one is read in any case
   * @param leaveNewer a session that version 5 has there is "newer"
   */
  gather(sessions: readonly SessionNames[], bytes: number, leaveNewer: boolean): Promise<SessionState[]>;
  /** "member", "alone", "plain" or "gone", as session-members.lua tells; a refusal is "plain". */
  members(members: readonly SessionMember[]): Promise<string[]>;
  /** Whether sessions are still as they were read. */
  areSame(
    sessions: readonly { readonly names: SessionNames; readonly state: StoredSession }[],
  ): Promise<readonly boolean[]>;
}

/** So many short questions take about the time of reading one session. */
const QUESTIONS_A_SESSION = 4;
/** A visit of version 4 moves the expiry of what was read so long after the visit before by as much, at least. */
const SURE_MS = 20;

/**
 * The sessions of one database, through scripts over as many sessions at once as the server allows: all where one script
 * may touch any key, one where the keys of a script must share a slot. What a server refuses is told of the one session.
 */
export class SessionStore implements SessionReader {
  constructor(
    private readonly port: RedisPort,
    private readonly atOnce: number,
    private readonly limits: SessionLimitsOnServer,
  ) {}

  async gather(sessions: readonly SessionNames[], bytes: number, leaveNewer: boolean): Promise<SessionState[]> {
    let left = bytes;
    return await inBatches(sessions, this.atOnce, async (batch): Promise<SessionState[]> => {
      const rivals = batch.some(({ rival }) => rival !== undefined);
      const keys: Buffer[] = [];
      for (const { data, internal, lock, newData, rival } of batch) {
        keys.push(data, internal, lock, newData);
        if (rivals) keys.push(rival ?? data);
      }
      const args = [...this.limitArgs(), String(Math.max(0, left)), flag(leaveNewer), flag(rivals)];
      const [, now, ...replies] = await this.run(scripts.gather, keys, args);
      const readAt = Number(String(now));
      const states = replies.map((reply) => sessionState(reply, readAt));
      for (const state of states) if (isStored(state)) left -= state.packed.length;
      return states;
    });
  }

  async members(members: readonly SessionMember[]): Promise<string[]> {
    const states = await inBatches(members, this.questionsAtOnce, async (batch) => {
      const names: Buffer[] = [];
      for (const { name, key } of batch) {
        const { appId, braced, role } = key;
        const internal = role === 'internal' ? name : v4KeyName(appId, braced, 'internal');
        names.push(name, v4KeyName(appId, braced, 'data'), internal);
      }
      const roles = batch.map(({ key }) => (key.version === 5 ? 'newer' : key.role));
      const [, ...states] = await this.run(scripts.members, names, [...this.limitArgs(), ...roles]);
      return states.map(String);
    });
    return states.map((state) => (typeof state === 'string' ? state : 'plain'));
  }

  async areSame(
    sessions: readonly { readonly names: SessionNames; readonly state: StoredSession }[],
  ): Promise<boolean[]> {
    const answers = await inBatches(sessions, this.questionsAtOnce, async (batch) => {
      const keys: Buffer[] = [];
      const args: Argument[] = [];
      for (const { names, state } of batch) {
        keys.push(names.data, names.internal);
        args.push(knownExpiry(state), state.sessionTimeoutText ?? '');
      }
      const replies = (await this.run(scripts.prints, keys, args)).map(String);
      return replies.map((reply, i) => {
        const state = batch[i]?.state;
        return reply === 'same' || (state !== undefined && reply === fingerprintOf(state));
      });
    });
    return answers.map((answer) => answer === true);
  }

  async write(sessions: readonly SessionToWrite[], { naming, force, inPlace }: WriteMode): Promise<WriteState[]> {
    const isInPlace = inPlace !== undefined;
    const flags = [isInPlace, inPlace?.deleteOld === true, inPlace?.thoughLocked === true, force].map(flag);
    return await inBatches(sessions, this.atOnce, async (batch): Promise<WriteState[]> => {
      const keys: Buffer[] = [];
      const args: Argument[] = [...flags];
      for (const { names, blob, timeoutText, expiry, seen, fingerprint } of batch) {
        keys.push(naming(names.newData), naming(names.newTimeout));
        args.push(blob ?? '', timeoutText ?? '', String(expiry), seen);
        if (!isInPlace) continue;
        keys.push(names.data, names.internal, names.lock);
        args.push(fingerprint);
      }
      const replies = await this.run(scripts.write, keys, args);
      return replies.map((reply) => writeState(String(reply)));
    });
  }

  private get questionsAtOnce(): number {
    return this.atOnce <= 1 ? 1 : this.atOnce * QUESTIONS_A_SESSION;
  }

  private limitArgs(): string[] {
    return [String(this.limits.items), String(this.limits.bytes)];
  }

  private async run(script: Script, keys: readonly Buffer[], args: readonly Argument[]): Promise<Reply[]> {
    return list(await runScript(this.port, script, keys, args));
  }
}

/** Changes whenever a field, a value or the timeout does; as fingerprint() in session-fingerprint.lua. */
export function fingerprintOf({ packed, sessionTimeoutText }: StoredSession): string {
  return createHash('sha1')
    .update(sessionTimeoutText ?? '-')
    .update('|')
    .update(packed)
    .digest('hex');
}

/**
 * The expiry that tells by itself whether version 4 has been at a session: any visit after the reading moves it by more
 * than this. '' where it does not tell, since the last visit was just before, or nothing says when.
 */
function knownExpiry({ expiry, sessionTimeoutText, readAt }: StoredSession): string {
  if (sessionTimeoutText === undefined || expiry === 0) return '';
  const lastVisit = expiry - Number(sessionTimeoutText.toString('latin1')) * 1_000;
  return readAt - lastVisit >= SURE_MS ? String(expiry) : '';
}

export function isStored(state: SessionState): state is StoredSession {
  return typeof state === 'object' && 'packed' in state;
}

function sessionState(reply: Reply | undefined, readAt: number): SessionState {
  if (!Array.isArray(reply)) return String(reply) as Exclude<SessionState, object>;
  const [expiry, locked, timeout, packed] = reply;
  if (!Buffer.isBuffer(packed)) throw new Error('The server answered in an unexpected form.');
  return {
    packed,
    sessionTimeoutText: Buffer.isBuffer(timeout) && timeout.length > 0 ? timeout : undefined,
    expiry: Math.max(0, Number(String(expiry))),
    locked: locked === 1,
    readAt,
  };
}

function writeState(reply: string): WriteState {
  const [word, there] = reply.split(':');
  if (there !== undefined) return { there, own: word === 'own' };
  return reply as Exclude<WriteState, object>;
}

function flag(value: boolean): string {
  return value ? '1' : '0';
}

function list(reply: Reply | undefined): Reply[] {
  if (!Array.isArray(reply)) throw new Error('The server answered in an unexpected form.');
  return reply;
}
