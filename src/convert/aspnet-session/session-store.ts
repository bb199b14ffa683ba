import type { Argument, RedisPort, Reply } from '../../redis/redis-port';
import { runScript, scripts, type Script } from '../../redis/scripts';
import { clockMs } from '../../transfer/page-reader';
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

/** What the server has under a session's data name. */
export type SessionState = StoredSession | 'gone' | 'plain' | 'newer' | 'large';

/** What became of one written session; see session-write.lua. */
export type WriteState = 'written' | 'exists' | 'changed' | 'locked' | 'expired';

export interface SessionToWrite {
  readonly key: SessionKey;
  /** undefined: take back what we wrote before. */
  readonly blob: Buffer | undefined;
  readonly timeoutText: Buffer | undefined;
  /** Absolute expiry in ms of the target's clock; 0: none. */
  readonly expiry: number;
  /** '': nothing may be overwritten, '*': all, or the SHA-1 of what we wrote before. */
  readonly overwrite: string;
  readonly fingerprint: string;
}

export interface SessionLimitsOnServer {
  readonly items: number;
  /** 0 where sizes cannot be asked. */
  readonly bytes: number;
}

/**
 * The sessions of one database, through scripts over as many sessions at once as the server allows: all where one script
 * may touch any key, one where the keys of a script must share a slot.
 */
export class SessionStore {
  constructor(
    private readonly port: RedisPort,
    private readonly atOnce: number,
  ) {}

  async gather(keys: readonly SessionKey[], limits: SessionLimitsOnServer): Promise<SessionState[]> {
    const states: SessionState[] = [];
    for (const batch of inBatches(keys, this.atOnce)) {
      const names = batch.flatMap(({ appId, braced }) => {
        const { data, internal, lock } = v4KeyNames(appId, braced);
        return [data, internal, lock, v5KeyNames(appId).data];
      });
      const reply = await this.run(scripts.sessionGather, names, [String(limits.items), String(limits.bytes)]);
      const now = clockMs(reply[0]);
      batch.forEach((key, i) => states.push(sessionState(key, reply[i + 1], now)));
    }
    return states;
  }

  async members(keys: readonly { readonly name: Buffer; readonly key: SessionKey }[]): Promise<string[]> {
    const states: string[] = [];
    for (const batch of inBatches(keys, this.atOnce)) {
      const names = batch.flatMap(({ name, key }) => [name, v4KeyNames(key.appId, key.braced).data]);
      const reply = await this.run(
        scripts.sessionMembers,
        names,
        batch.map(({ key }) => key.role),
      );
      states.push(...reply.map(String));
    }
    return states;
  }

  /** The fingerprints as they are now; '' for a session that is gone. */
  async fingerprints(keys: readonly SessionKey[]): Promise<string[]> {
    const prints: string[] = [];
    for (const batch of inBatches(keys, this.atOnce)) {
      const names = batch.flatMap(({ appId, braced }) => {
        const { data, internal } = v4KeyNames(appId, braced);
        return [data, internal];
      });
      prints.push(...(await this.run(scripts.sessionPrints, names, [])).map(String));
    }
    return prints;
  }

  /** @param inPlace version 4's keys are on this server: checked against the fingerprint, deleted after where asked */
  async write(
    sessions: readonly SessionToWrite[],
    naming: (key: Buffer) => Buffer,
    inPlace: { readonly deleteOld: boolean; readonly thoughLocked: boolean } | undefined,
  ): Promise<WriteState[]> {
    const flag = (value: boolean | undefined) => (value === true ? '1' : '0');
    const flags = [flag(inPlace !== undefined), flag(inPlace?.deleteOld), flag(inPlace?.thoughLocked)];
    const states: WriteState[] = [];
    for (const batch of inBatches(sessions, this.atOnce)) {
      const keys = batch.flatMap(({ key: { appId, braced } }) => {
        const { data, timeout } = v5KeyNames(appId);
        const [newData, newTimeout] = [naming(data), naming(timeout)];
        if (inPlace === undefined) return [newData, newTimeout, newData, newTimeout, newData];
        const old = v4KeyNames(appId, braced);
        return [newData, newTimeout, old.data, old.internal, old.lock];
      });
      const args = batch.flatMap(({ blob, timeoutText, expiry, overwrite, fingerprint }): Argument[] => [
        blob ?? '',
        timeoutText ?? '',
        String(expiry),
        overwrite,
        fingerprint,
      ]);
      states.push(
        ...(await this.run(scripts.sessionWrite, keys, [...flags, ...args])).map((r) => String(r) as WriteState),
      );
    }
    return states;
  }

  private async run(script: Script, keys: readonly Buffer[], args: readonly Argument[]): Promise<Reply[]> {
    return list(await runScript(this.port, script, keys, args));
  }
}

function sessionState(key: SessionKey, reply: Reply | undefined, now: number): SessionState {
  if (!Array.isArray(reply)) return String(reply) as Exclude<SessionState, StoredSession>;
  const [ttl, locked, timeout, fingerprint, ...flat] = reply;
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
    expiry: typeof ttl === 'number' && ttl > 0 ? now + ttl : 0,
    locked: String(locked) === '1',
    readAt: now,
    fingerprint: String(fingerprint),
    bytes,
  };
}

function* inBatches<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}

function list(reply: Reply | undefined): Reply[] {
  if (!Array.isArray(reply)) throw new Error('The server answered in an unexpected form.');
  return reply;
}
