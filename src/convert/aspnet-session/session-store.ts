import { errorKind } from '../../redis/errors';
import type { Argument, RedisPort, Reply } from '../../redis/redis-port';
import { runScript, scripts, type Script } from '../../redis/scripts';
import { v4KeyNames, v5KeyNames, type SessionKey } from './keys';

/** A version 4 session as it stood at one moment. */
export interface StoredSession {
  readonly key: SessionKey;
  /** Fields and values in HGETALL's order. */
  readonly fields: readonly (readonly [Buffer, Buffer])[];
  readonly sessionTimeoutText: Buffer | undefined;
  /** Absolute expiry in ms of the server's clock; 0: none. */
  readonly expiry: number;
  readonly locked: boolean;
  /** The server's clock when it was read, ms since 1970. */
  readonly readAt: number;
  /** Changes whenever a field, a value or the timeout does. */
  readonly fingerprint: string;
  readonly bytes: number;
}

/** The server refused to handle this one session. */
export interface RefusedSession {
  readonly refused: string;
}

/** What the server has under a session's data name; see session-gather.lua. */
export type SessionState = StoredSession | RefusedSession | 'gone' | 'plain' | 'newer' | 'large' | 'later';

/** What became of one written session; see session-write.lua. */
export type WriteState =
  | RefusedSession
  | { readonly there: string; readonly own: boolean }
  | 'written'
  | 'exists'
  | 'changed'
  | 'locked'
  | 'expired';

export interface SessionToWrite {
  readonly key: SessionKey;
  /** undefined: take back what we wrote before. */
  readonly blob: Buffer | undefined;
  readonly timeoutText: Buffer | undefined;
  /** Absolute expiry in ms of the target's clock; 0: none. */
  readonly expiry: number;
  /** What was seen there and may be overwritten: a SHA-1, as the script told it or of what we wrote; '' for nothing. */
  readonly seen: string;
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

/** Single sessions, where a script may touch no more, are asked for at the same time. */
const SINGLES_AT_ONCE = 16;

/**
 * The sessions of one database, through scripts over as many sessions at once as the server allows: all where one script
 * may touch any key, one where the keys of a script must share a slot. What a server refuses is told of the one session.
 */
export class SessionStore {
  constructor(
    private readonly port: RedisPort,
    private readonly atOnce: number,
    private readonly limits: SessionLimitsOnServer,
  ) {}

  /**
   * @param bytes after which sessions are only named ("later"); the first one is read in any case
   * @param leaveNewer a session that version 5 has on this server is "newer"
   */
  async gather(keys: readonly SessionKey[], bytes: number, leaveNewer: boolean): Promise<SessionState[]> {
    let left = bytes;
    return await this.inBatches(keys, async (batch): Promise<SessionState[]> => {
      const names = batch.flatMap(({ appId, braced }) => {
        const { data, internal, lock } = v4KeyNames(appId, braced);
        return [data, internal, lock, v5KeyNames(appId).data, braced ? data : v4KeyNames(appId).data];
      });
      const args = [...this.limitArgs(), String(Math.max(0, left)), leaveNewer ? '1' : '0'];
      const [now, ...replies] = await this.run(scripts.sessionGather, names, args);
      const states = batch.map((key, i) => sessionState(key, replies[i], Number(String(now))));
      for (const state of states) if (isStored(state)) left -= state.bytes;
      return states;
    });
  }

  /** "member", "alone", "plain" or "gone", as session-members.lua tells; a refusal is "plain". */
  async members(members: readonly SessionMember[]): Promise<string[]> {
    const states = await this.inBatches(members, async (batch) => {
      const names = batch.flatMap(({ name, key }) => {
        const { data, internal } = v4KeyNames(key.appId, key.braced);
        return [name, data, internal];
      });
      const roles = batch.map(({ key }) => (key.version === 5 ? 'newer' : key.role));
      return (await this.run(scripts.sessionMembers, names, [...this.limitArgs(), ...roles])).map(String);
    });
    return states.map((state) => (typeof state === 'string' ? state : 'plain'));
  }

  /** The fingerprints as they are now; "gone", "plain" or "large" for what is no session to be converted any more. */
  async fingerprints(keys: readonly SessionKey[]): Promise<string[]> {
    const prints = await this.inBatches(keys, async (batch) => {
      const names = batch.flatMap(({ appId, braced }) => {
        const { data, internal } = v4KeyNames(appId, braced);
        return [data, internal];
      });
      return (await this.run(scripts.sessionPrints, names, this.limitArgs())).map(String);
    });
    return prints.map((print) => (typeof print === 'string' ? print : ''));
  }

  async write(sessions: readonly SessionToWrite[], { naming, force, inPlace }: WriteMode): Promise<WriteState[]> {
    const flags = [inPlace !== undefined, inPlace?.deleteOld, inPlace?.thoughLocked, force];
    return await this.inBatches(sessions, async (batch): Promise<WriteState[]> => {
      const keys = batch.flatMap(({ key: { appId, braced } }) => {
        const { data, timeout } = v5KeyNames(appId);
        const [newData, newTimeout] = [naming(data), naming(timeout)];
        if (inPlace === undefined) return [newData, newTimeout, newData, newTimeout, newData];
        const old = v4KeyNames(appId, braced);
        return [newData, newTimeout, old.data, old.internal, old.lock];
      });
      const args = batch.flatMap(({ blob, timeoutText, expiry, seen, fingerprint }): Argument[] => [
        blob ?? '',
        timeoutText ?? '',
        String(expiry),
        seen,
        fingerprint,
      ]);
      const replies = await this.run(scripts.sessionWrite, keys, [
        ...flags.map((flag) => (flag === true ? '1' : '0')),
        ...args,
      ]);
      return replies.map((reply) => writeState(String(reply)));
    });
  }

  private limitArgs(): string[] {
    return [String(this.limits.items), String(this.limits.bytes)];
  }

  /** What concerns single sessions only is told of each; everything else is thrown. */
  private async inBatches<T, R>(
    items: readonly T[],
    work: (batch: readonly T[]) => Promise<R[]>,
  ): Promise<(R | RefusedSession)[]> {
    const results: (R | RefusedSession)[] = [];
    for (let at = 0; at < items.length;) {
      const size = this.atOnce > 1 ? this.atOnce : SINGLES_AT_ONCE;
      const batch = items.slice(at, at + size);
      at += size;
      results.push(...(this.atOnce > 1 ? await together(batch, work) : await singly(batch, work)));
    }
    return results;
  }

  private async run(script: Script, keys: readonly Buffer[], args: readonly Argument[]): Promise<Reply[]> {
    return list(await runScript(this.port, script, keys, args));
  }
}

export function isStored(state: SessionState): state is StoredSession {
  return typeof state === 'object' && 'fields' in state;
}

async function together<T, R>(
  batch: readonly T[],
  work: (batch: readonly T[]) => Promise<R[]>,
): Promise<(R | RefusedSession)[]> {
  try {
    return await work(batch);
  } catch (error) {
    if (!concernsKeys(error)) throw error;
    return await singly(batch, work);
  }
}

async function singly<T, R>(
  batch: readonly T[],
  work: (batch: readonly T[]) => Promise<R[]>,
): Promise<(R | RefusedSession)[]> {
  const results = await Promise.allSettled(batch.map((item) => work([item])));
  return results.flatMap((result): (R | RefusedSession)[] => {
    if (result.status === 'fulfilled') return result.value;
    const reason: unknown = result.reason;
    if (!concernsKeys(reason)) throw reason;
    return [{ refused: reason.message }];
  });
}

/** Whether it is an answer of the server that has to do with these keys, not with the server's state or the user's rights. */
function concernsKeys(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError' && errorKind(error) === 'key';
}

function sessionState(key: SessionKey, reply: Reply | undefined, now: number): SessionState {
  if (!Array.isArray(reply)) return String(reply) as Exclude<SessionState, object>;
  const [expiry, locked, timeout, fingerprint, ...flat] = reply;
  const fields: [Buffer, Buffer][] = [];
  let bytes = 0;
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const [name, value] = [flat[i], flat[i + 1]];
    if (!Buffer.isBuffer(name) || !Buffer.isBuffer(value))
      throw new Error('The server answered in an unexpected form.');
    fields.push([name, value]);
    bytes += name.length + value.length;
  }
  return {
    key,
    fields,
    sessionTimeoutText: Buffer.isBuffer(timeout) && timeout.length > 0 ? timeout : undefined,
    expiry: Math.max(0, Number(String(expiry))),
    locked: locked === 1,
    readAt: now,
    fingerprint: String(fingerprint),
    bytes,
  };
}

function writeState(reply: string): WriteState {
  const [word, there] = reply.split(':');
  if (there !== undefined) return { there, own: word === 'own' };
  return reply as Exclude<WriteState, object>;
}

function list(reply: Reply | undefined): Reply[] {
  if (!Array.isArray(reply)) throw new Error('The server answered in an unexpected form.');
  return reply;
}
