import { randomBytes } from 'node:crypto';

import type { Command, RedisPort, Reply } from '../../redis/redis-port';
import { TemporaryLost } from './conditions';
import { tagForSlotOf } from './hash-slot';
import { asNumber, throwErrors } from './replies';

/** How every temporary key begins. A key of a user's own that begins so would be taken for one of ours. */
export const TEMPORARY_KEY_PREFIX = 'keyferry:temporary:';

/** How long a temporary key outlives its builder, in milliseconds; set anew with every chunk. */
export const TEMPORARY_KEY_LIFE_MS = 15 * 60_000;

const prefix = Buffer.from(TEMPORARY_KEY_PREFIX);

/** Whether the key is one of ours under construction, to be left out when a database is walked or counted. */
export function isTemporaryKey(key: Buffer): boolean {
  return key.length > prefix.length && key.subarray(0, prefix.length).equals(prefix);
}

/**
 * A new name in the cluster slot of the given key: the prefix, 16 random digits, and the tag in braces. It is random because the
 * same key may be copied twice at the same time (a message delivered twice): two builders must never write into one key. What
 * a crash leaves behind therefore has no known name; it expires by itself.
 */
export function temporaryKeyFor(targetKey: Buffer): Buffer {
  const unique = Buffer.from(`${randomBytes(8).toString('hex')}:{`);
  return Buffer.concat([prefix, unique, tagForSlotOf(targetKey), Buffer.from('}')]);
}

/**
 * A key being built in the target. Its expiry is both a safety net and a seal: only the very first write sets it on a key without
 * one, so a key that was lost meanwhile (evicted, flushed) and made anew by a later write is found out by having none.
 */
export class TemporaryKey {
  readonly name: Buffer;
  readonly #target: RedisPort;
  readonly #unlink: 'UNLINK' | 'DEL';
  #begun = false;

  constructor(target: RedisPort, targetKey: Buffer, unlink: 'UNLINK' | 'DEL') {
    this.#target = target;
    this.#unlink = unlink;
    this.name = temporaryKeyFor(targetKey);
  }

  /**
   * Sends the commands, all on this key, in one write and gives their replies. The very first command ever must create the key;
   * keep it small. Throws the first error reply as it is, and {@link TemporaryLost} when the key is no longer the one begun.
   */
  async write(commands: readonly Command[]): Promise<Reply[]> {
    const extend: Command = ['PEXPIRE', this.name, String(TEMPORARY_KEY_LIFE_MS)];
    const [first, ...rest] = commands;
    if (first === undefined) return [];
    if (!this.#begun) {
      this.#begun = true;
      return this.#begin(first, extend, rest);
    }
    const replies = this.#sound(await this.#target.pipeline([['PTTL', this.name], extend, ...commands]));
    if (asNumber(replies[0]) < 0 || replies[1] !== 1) throw lost();
    return replies.slice(2);
  }

  async #begin(first: Command, extend: Command, rest: readonly Command[]): Promise<Reply[]> {
    const seal: Command[] = rest.length > 0 ? [['PTTL', this.name]] : [];
    const replies = this.#sound(await this.#target.pipeline([first, extend, ...rest, ...seal]));
    if (replies[1] !== 1 || (rest.length > 0 && asNumber(replies.at(-1)) < 0)) throw lost();
    return [replies[0] ?? null, ...replies.slice(2, 2 + rest.length)];
  }

  /** The replies without errors; commands that miss the key or its groups say that it was lost. */
  #sound(replies: readonly (Reply | Error)[]): Reply[] {
    for (const reply of replies) {
      if (reply instanceof Error && /^NOGROUP|no such key|requires the key to exist/i.test(reply.message)) throw lost();
    }
    return throwErrors(replies);
  }

  /** Asks the target about the finished key, with the same care as {@link write}. */
  async read(...commands: Command[]): Promise<Reply[]> {
    const replies = throwErrors(await this.#target.pipeline([['PTTL', this.name], ...commands]));
    if (asNumber(replies[0]) < 0) throw lost();
    return replies.slice(1);
  }

  /**
   * Gives the key its real name and its real expiry, in one write: nobody sees the one without the other.
   * @param expireAt milliseconds since 1970 by the target's clock, or `undefined` for none
   * @returns `expired` when that time had passed, `conflict` when mode is `skip` and a key of the name was there
   */
  async publish(
    targetKey: Buffer,
    onConflict: 'replace' | 'skip',
    expireAt: number | undefined,
  ): Promise<'done' | 'conflict' | 'expired'> {
    const expiry: Command =
      expireAt === undefined ? ['PERSIST', this.name] : ['PEXPIREAT', this.name, String(expireAt)];
    const rename: Command = [onConflict === 'replace' ? 'RENAME' : 'RENAMENX', this.name, targetKey];
    const [persisted, renamed] = await this.#target.pipeline([expiry, rename, [this.#unlink, this.name]]);
    const isPublished = !(renamed instanceof Error) && renamed !== 0;
    if (persisted instanceof Error) {
      // Its own expiry refused, yet renamed: with the safety expiry it would vanish unnoticed later. Better seen missing now.
      if (isPublished) await this.#target.call(this.#unlink, targetKey);
      throw persisted;
    }
    if (persisted !== 1) throw lost();
    if (renamed instanceof Error) {
      if (!/no such key/i.test(renamed.message)) throw renamed;
      if (expireAt !== undefined) return 'expired';
      throw lost();
    }
    return isPublished ? 'done' : 'conflict';
  }

  /** Deletes what was built. Never throws: where the target cannot be reached, the key's own expiry does it. */
  async remove(): Promise<void> {
    if (!this.#begun) return;
    await this.#target.call(this.#unlink, this.name).catch(() => undefined);
  }
}

function lost(): TemporaryLost {
  return new TemporaryLost('the temporary key was lost while it was built: the target evicts keys, or was flushed');
}
