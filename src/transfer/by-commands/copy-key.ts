import { setTimeout as sleep } from 'node:timers/promises';

import { expiryByClock } from '../../redis/expiry';
import type { RedisPort } from '../../redis/redis-port';
import { StoppedError } from '../../migration/stop';
import { asksOf, isTooLong } from '../../redis/errors';
import { hasStreams, hasUnlink } from './abilities';
import { KeyChanged, KeyGone, NotAsTold, Stopped, TemporaryLost, TemporaryUnsure } from './conditions';
import { readExpiry } from './expiry';
import { copyHash } from './hash';
import type { Build } from './key-place';
import { copyList } from './list';
import { asBytes, asNumber, readSource } from './replies';
import { copySet } from './set';
import { copySortedSet } from './sorted-set';
import { copyStream } from './stream/stream';
import { copyString } from './string';
import { TemporaryKey } from './temporary-key';
import { isUntouched, readWriteMark } from './untouched';
import type { Body, BodyCopier, CommandCopyOptions, CommandCopyOutcome, Drift, Loss } from './types';

const copiers: Readonly<Record<string, BodyCopier>> = {
  string: copyString,
  list: copyList,
  set: copySet,
  hash: copyHash,
  zset: copySortedSet,
  stream: copyStream,
};

const LARGE_BYTES = 65_536;

/** Names that one build may stand under: with each new connection or worker it gets another. */
const MOST_NAMES = 4;

/** Pauses before the second and third attempt at a key that is being written to. */
const PAUSES_MS = [50, 250];

/**
 * Copies one key by ordinary commands: for keys that DUMP and RESTORE cannot carry (payload of a newer server, too big, no right).
 *
 * The value is built in a temporary key of the same cluster slot and renamed together with its expiry, so the target never shows
 * half a key nor a mixture of old and new, and a cut between any two commands leaves nothing that stays. About two chunks are in
 * memory at any time. The expiry is read last, exact to a few milliseconds plus the error of `clockOffsetMs`.
 *
 * What did not come in one reply is looked at again when it is built, unless the source says that nobody wrote to it: strings and lists by digests of the parts that were read,
 * sets, hashes and sorted sets by sums over their elements on both sides. Where these agree, the copy is the key as it stood at
 * one moment between reading and looking. Otherwise it was written to meanwhile and is copied anew, three times in all. After
 * that strings and lists are `failed` with code `changing` (growth at their end does no harm); sets, hashes, sorted sets and
 * streams are copied with the loss `changed-while-read`: everything that stayed is there, of what changed some. Streams are
 * looked at by what XINFO tells: entries cannot change, but before 7.0 deletions behind the walk are not told. Of a source that nobody
 * can write to nothing is copied but what is the same: anything else is `failed` with code `not-as-told`.
 *
 * Where `place` is kept, what is cut off by a lost connection or by `shouldStop` is gone on with by the next call, whoever makes
 * it. What was read before the cut is then looked at again in any case, and attempts are counted over all calls.
 *
 * @returns what became of the key: copied with its payload bytes and losses; expired (gone, or its time was up); conflict (mode
 * `skip` and the name taken); failed with `unsupported-type`, `changing`, `temporary-lost` (the target evicts or was flushed),
 * `not-as-told` or `stopped`
 * @throws the error of server or connection as it came (OOM, READONLY, NOPERM …), after trying to delete the temporary key. Where a
 * connection is lost at the very end the key may have been renamed already: with `skip` another attempt then says `conflict`.
 */
export async function copyKeyByCommands(
  source: RedisPort,
  target: RedisPort,
  options: CommandCopyOptions,
): Promise<CommandCopyOutcome> {
  const { place } = options;
  for (let attempt = place?.get()?.attempt ?? 0; ; attempt++) {
    const isLast = attempt >= PAUSES_MS.length;
    const outcome = await attemptCopy(source, target, options, attempt, isLast);
    if (outcome.kind === 'failed' && outcome.code === 'stopped') return outcome;
    if (outcome.kind !== 'failed' || !isPassing(outcome.code) || isLast) {
      place?.set(undefined);
      return outcome;
    }
    place?.set({ attempt: attempt + 1 });
    await sleep(PAUSES_MS[attempt]);
  }
}

function isPassing(code: string): boolean {
  return code === 'changing' || code === 'temporary-lost';
}

async function attemptCopy(
  source: RedisPort,
  target: RedisPort,
  options: CommandCopyOptions,
  attempt: number,
  isLast: boolean,
): Promise<CommandCopyOutcome> {
  const unlink = hasUnlink(options.target) ? 'UNLINK' : 'DEL';
  const temporary = new TemporaryKey(target, options.names.take(options.targetKey), unlink);
  const isKept = () => options.place?.get()?.build !== undefined;
  try {
    const kept = await takeOver(temporary, options);
    const end = async (outcome: CommandCopyOutcome) => {
      await temporary.remove();
      return outcome;
    };
    if (options.onConflict === 'skip' && (await target.call('EXISTS', options.targetKey)) === 1) {
      return await end({ kind: 'conflict' });
    }
    const [typeReply, memory] = await source.pipeline([
      ['TYPE', options.sourceKey],
      ['MEMORY', 'USAGE', options.sourceKey],
    ]);
    if (typeReply instanceof Error) throw typeReply;
    const type = asBytes(typeReply).toString('latin1');
    if (type === 'none') return await end({ kind: 'expired' });
    const copyBody = copierOf(type, options);
    if (copyBody === undefined) {
      const message = `keys of type ${type} cannot be copied by commands to this target`;
      return await end(failed('unsupported-type', message));
    }
    if (kept !== undefined && kept.type !== type) throw new KeyChanged(`the key became a ${type} while it was read`);
    const isStill = options.sourceIsStill === true;
    const mark =
      !isStill && kept === undefined && isLarge(memory) ? await readWriteMark(source, options.sourceKey) : undefined;
    const untouched = async () =>
      isStill || (mark !== undefined && isUntouched(mark, await readWriteMark(source, options.sourceKey)));
    const step = () => {
      if (options.shouldStop?.() === true) throw new Stopped('the copy was asked to stop');
    };
    const built = { type, temporary: [temporary.place], publishing: false };
    const body = await copyBody({
      ...{ source, sourceKey: options.sourceKey, temporary, options, untouched, step },
      ...(typeof memory === 'number' ? { memory } : {}),
      ...(typeof memory === 'number' && memory > options.chunkBytes
        ? await lengthOf(source, options.sourceKey, type)
        : {}),
      ...(kept === undefined ? {} : { kept }),
      reached: (reached, bytes) => {
        options.place?.set({ attempt, build: { ...built, bytes, body: reached } });
        step();
      },
    });
    // Where a cursor may have come to another process, what drifted may lack elements that stayed.
    const mayDrift = isLast && (kept === undefined || options.sourceMoves !== true);
    return await finish(source, temporary, options, type, body, mayDrift);
  } catch (error) {
    if (isKept() && (error instanceof Stopped || error instanceof StoppedError)) await temporary.hold();
    else if (isKept() && (asksOf(error) === 'retry' || isTooLong(error))) temporary.leave();
    else {
      await temporary.remove();
      options.place?.set({ attempt });
    }
    if (error instanceof KeyChanged)
      return (await exists(source, options)) ? failed('changing', error.message) : { kind: 'expired' };
    if (error instanceof NotAsTold) return failed('not-as-told', error.message);
    if (error instanceof KeyGone) return { kind: 'expired' };
    if (error instanceof TemporaryLost) return failed('temporary-lost', error.message);
    if (error instanceof Stopped) return failed('stopped', error.message);
    if (error instanceof TemporaryUnsure) return await attemptCopy(source, target, options, attempt, isLast);
    throw error;
  }
}

/**
 * What an attempt before has built, when it is still there; undefined where there was none, or where it may have got its name.
 * @throws TemporaryLost
 */
async function takeOver(temporary: TemporaryKey, options: CommandCopyOptions): Promise<Build | undefined> {
  const { attempt = 0, build } = options.place?.get() ?? {};
  if (build === undefined) return undefined;
  const standing = build.temporary.slice(0, MOST_NAMES);
  options.place?.set({ attempt, build: { ...build, temporary: [temporary.place, ...standing] } });
  const isThere = await temporary.adopt(standing.map((each) => options.names.nameOf(options.targetKey, each)));
  if (isThere) return build;
  options.place?.set({ attempt });
  if (build.publishing) return undefined;
  throw new TemporaryLost(
    'the temporary key was lost before it was finished: it expired, or the target evicts keys, or was flushed',
  );
}

const lengths: Readonly<Record<string, string>> = {
  ...{ list: 'LLEN', set: 'SCARD', hash: 'HLEN', zset: 'ZCARD', stream: 'XLEN' },
};

async function lengthOf(source: RedisPort, key: Buffer, type: string): Promise<{ readonly length?: number }> {
  const command = lengths[type];
  if (command === undefined) return {};
  const [length] = await readSource(source, [[command, key]]);
  return { length: asNumber(length) };
}

/** Whether it is worth asking whether anybody writes: keys below that are looked at again in no time. */
function isLarge(memory: unknown): boolean {
  return typeof memory === 'number' && memory > LARGE_BYTES;
}

/** Looks again at both sides, then publishes. */
async function finish(
  source: RedisPort,
  temporary: TemporaryKey,
  options: CommandCopyOptions,
  type: string,
  body: Body,
  mayDrift: boolean,
): Promise<CommandCopyOutcome> {
  const drift = await body.check();
  // Nobody has written to it: what was read, or built, is wrong.
  if (options.sourceIsStill === true && drift !== 'same') {
    throw new NotAsTold(
      drift === 'unproven'
        ? `whether the target holds the ${type} as it was written cannot be found out: it does not let it be looked at`
        : `what was read of the ${type} is not what its source says of it, and nobody can write there`,
    );
  }
  const { expiry, type: typeNow } = await readExpiry(source, options.sourceKey, options.source);
  if (expiry === 'gone') {
    await temporary.remove();
    return { kind: 'expired' };
  }
  if (typeNow !== type) throw new KeyChanged(`the key became a ${typeNow} while it was read`);
  if (drift === 'mixture' || (drift === 'drifted' && !mayDrift))
    throw new KeyChanged(`the ${type} was written to while it was read`);
  const place = options.place?.get();
  if (place?.build !== undefined) options.place?.set({ ...place, build: { ...place.build, publishing: true } });
  const expireAt = expiry === 'never' ? undefined : expiryByClock(expiry, options.clockOffsetMs);
  const published = await temporary.publish(options.targetKey, options.onConflict, expireAt);
  if (published !== 'done') return { kind: published };
  return {
    kind: 'copied',
    bytes: body.bytes,
    losses: [...body.losses, ...lossesOf(drift, type)],
  };
}

async function exists(source: RedisPort, options: CommandCopyOptions): Promise<boolean> {
  return (await source.call('EXISTS', options.sourceKey)) === 1;
}

function copierOf(type: string, options: CommandCopyOptions): BodyCopier | undefined {
  if (type === 'stream' && !hasStreams(options.target)) return undefined;
  return Object.hasOwn(copiers, type) ? copiers[type] : undefined;
}

function lossesOf(drift: Drift, type: string): Loss[] {
  if (drift === 'same') return [];
  const message =
    drift === 'unproven'
      ? `whether the ${type} was written to while it was read cannot be found out: a server does not let it be read again`
      : `the ${type} was written to in every attempt to copy it`;
  return [{ kind: 'changed-while-read', count: 1, message }];
}

function failed(
  code: 'unsupported-type' | 'changing' | 'temporary-lost' | 'not-as-told' | 'stopped',
  message: string,
): CommandCopyOutcome {
  return { kind: 'failed', code, message };
}
