import { isRedisError, type RedisError } from '../../redis/errors';
import type { Command, RedisPort, Reply } from '../../redis/redis-port';
import { ELEMENTS_PER_COMMAND } from './chunk-size';
import { TemporaryLost } from './conditions';
import { asNumber, throwErrors } from './replies';
import type { TemporaryPlace } from './key-place';
import { TEMPORARY_KEY_HELD_MS, TEMPORARY_KEY_LIFE_MS, type TemporaryName } from './temporary-names';
import { AROUND, transaction, transactionReplies } from './transaction';

/** Arguments of commands that one transaction carries at most, so that none holds the target for long. */
const MOST_ARGUMENTS = 4 * ELEMENTS_PER_COMMAND;

const GONE = -2;
/** Without writes, the key's life is renewed after so long. */
const RENEW_MS = 60_000;

/**
 * A key being built in the target. Every write goes in transactions that ask first whether the key is there and end with its
 * expiry: it has one at every moment, wherever the connection or the builder is cut. A key that was lost meanwhile (evicted,
 * flushed, removed by whoever took the range over) is made anew by the next write, with an expiry too, and found out by it.
 */
export class TemporaryKey {
  readonly name: Buffer;
  readonly #target: RedisPort;
  readonly #taken: TemporaryName;
  readonly #unlink: 'UNLINK' | 'DEL';
  #begun = false;
  /** Something was sent and not answered: the server may still carry it out, whatever it says meanwhile. */
  #uncertain = false;
  #renewedAt = 0;

  constructor(target: RedisPort, taken: TemporaryName, unlink: 'UNLINK' | 'DEL') {
    this.#target = target;
    this.#taken = taken;
    this.#unlink = unlink;
    this.name = taken.name;
  }

  get place(): TemporaryPlace {
    return this.#taken.place;
  }

  /**
   * Takes over what another build has begun, and gives it this one's name: nothing that is still on its way to the old name
   * reaches it any more. False when it is gone.
   * @param names that it may stand under, the likeliest first
   */
  async adopt(names: readonly Buffer[]): Promise<boolean> {
    this.#begun = true;
    const adoption = transaction([
      ...names.map((name): Command => ['RENAMENX', name, this.name]),
      ['PEXPIRE', this.name, String(TEMPORARY_KEY_LIFE_MS)],
    ]);
    const replies = await this.#send([...adoption, [this.#unlink, ...names, ...this.#taken.leftovers]]);
    const given = transactionReplies(replies.slice(0, adoption.length));
    throwErrors(given.filter((reply) => !isRedisError(reply, 'noSuchKey')));
    return given.at(-1) === 1;
  }

  /**
   * Sends the commands, all on this key, in one write and gives their replies. The very first command ever must create the key.
   * Throws the first error reply as it is, and {@link TemporaryLost} when the key is no longer the one begun.
   */
  async write(commands: readonly Command[]): Promise<Reply[]> {
    if (commands.length === 0) return [];
    const begins = !this.#begun;
    this.#begun = true;
    const blocks = blocksOf(commands).map((block) =>
      transaction([['PTTL', this.name], ...block, ['PEXPIRE', this.name, String(TEMPORARY_KEY_LIFE_MS)]]),
    );
    // What earlier builds left goes first. Where that is refused, it goes at the end of the migration, or expires.
    const { leftovers } = this.#taken;
    const cleaning: Command[] = begins && leftovers.length > 0 ? [[this.#unlink, ...leftovers]] : [];
    const replies = await this.#send([...cleaning, ...blocks.flat()]);
    let at = cleaning.length;
    return blocks.flatMap((block, number) => {
      const given = this.#sound(transactionReplies(replies.slice(at, (at += block.length))));
      if (given.length !== block.length - AROUND) throw new TypeError('The server gave too few replies.');
      const left = asNumber(given[0]);
      const isSound = begins && number === 0 ? left === GONE : left >= 0;
      if (!isSound || given.at(-1) !== 1) throw lost();
      return given.slice(1, -1);
    });
  }

  /** Renews the key's life where it was not written to for long. Throws {@link TemporaryLost} when it is not there. */
  async keep(): Promise<void> {
    if (performance.now() - this.#renewedAt < RENEW_MS) return;
    const [renewed] = throwErrors(await this.#send([['PEXPIRE', this.name, String(TEMPORARY_KEY_LIFE_MS)]]));
    if (renewed !== 1) throw lost();
  }

  /** Asks the target about the key: sends a command that only reads. */
  get reader(): RedisPort {
    return this.#target;
  }

  /**
   * Gives the key its real name and its real expiry in one transaction: at no moment is there a temporary key without an expiry,
   * nor a real key with that of a temporary one.
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
    const replies = await this.#send(transaction([expiry, rename, [this.#unlink, this.name]]));
    const [expirySet, renamed] = transactionReplies(replies);
    const isPublished = !(renamed instanceof Error) && renamed !== 0;
    if (expirySet instanceof Error) {
      // Rights taken away in the middle: with the safety expiry the key would vanish unnoticed later. Better seen missing now.
      if (isPublished) await this.#target.call(this.#unlink, targetKey);
      throw expirySet;
    }
    if (renamed instanceof Error) {
      if (renamed.kind !== 'noSuchKey') throw renamed;
      if (expireAt === undefined || expirySet !== 1) throw lost();
    }
    this.#taken.release(!this.#uncertain);
    if (renamed instanceof Error) return 'expired';
    return isPublished ? 'done' : 'conflict';
  }

  /** Leaves what was built to whoever goes on with it. Never throws: where the target cannot be reached, it may expire before. */
  async hold(): Promise<void> {
    await this.#send([['PEXPIRE', this.name, String(TEMPORARY_KEY_HELD_MS)]]).catch(() => undefined);
    this.leave();
  }

  /** Leaves what was built as it is. */
  leave(): void {
    this.#taken.release(false);
  }

  /** Asks the target about the key. Throws the first error reply as it is. */
  async ask(commands: readonly Command[]): Promise<Reply[]> {
    return throwErrors(await this.#target.pipeline(commands));
  }

  /** Deletes what was built. Never throws: where the target cannot be reached, the key's own expiry does it. */
  async remove(): Promise<void> {
    if (this.#begun) {
      await this.#send([[this.#unlink, this.name]]).then(
        ([reply]) => {
          if (reply instanceof Error) this.#uncertain = true;
        },
        () => undefined,
      );
    }
    this.#taken.release(!this.#uncertain);
  }

  async #send(commands: readonly Command[]): Promise<(Reply | RedisError)[]> {
    try {
      const replies = await this.#target.pipeline(commands);
      this.#renewedAt = performance.now();
      return replies;
    } catch (error) {
      this.#uncertain = true;
      throw error;
    }
  }

  /** The replies without errors; commands that miss the key or its groups say that it was lost. */
  #sound(replies: readonly (Reply | RedisError)[]): Reply[] {
    for (const reply of replies) {
      if (isRedisError(reply, 'noSuchGroup', 'noSuchKey')) throw lost();
    }
    return throwErrors(replies);
  }
}

/** The commands in order, in blocks for one transaction each. */
function blocksOf(commands: readonly Command[]): Command[][] {
  const blocks: Command[][] = [];
  let room = 0;
  for (const command of commands) {
    room -= command.length;
    const block = blocks.at(-1);
    if (block === undefined || room < 0) {
      blocks.push([command]);
      room = MOST_ARGUMENTS - command.length;
    } else block.push(command);
  }
  return blocks;
}

function lost(): TemporaryLost {
  return new TemporaryLost('the temporary key was lost while it was built: the target evicts keys, or was flushed');
}
