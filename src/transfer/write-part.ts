import type { KeyFinding } from '../migration/rows';
import type { Converter, Group, GroupOutcome } from '../convert/converter';
import { addCounts, noCounts, type Counts } from '../migration/counts';
import type { PayloadGate } from '../payload/payload-gate';
import { RedisError } from '../redis/errors';
import type { RedisPort } from '../redis/redis-port';
import { copyKeyByCommands, type Abilities, type CommandCopyOutcome, type TemporaryNames } from './by-commands';
import type { PageWriter, RestoreEntry } from './page-writer';
import type { Part } from './range-pages';
import type { Naming } from '../convert/rename/naming';
import { pause, SourceChangedError, StoppedError, type StopSignal } from '../migration/stop';

/** Where and how parts are written. */
export interface WriteContext {
  readonly source: RedisPort;
  readonly target: RedisPort;
  readonly sourceVersion: Abilities;
  readonly targetVersion: Abilities;
  /** Tells which payloads the target takes for certain: no others are sent. */
  readonly payloads: Pick<PayloadGate, 'passageOf'>;
  readonly writer: PageWriter;
  readonly naming: Naming | undefined;
  /** The target's clock minus the source's, ms. */
  readonly clockOffset: number;
  readonly onConflict: 'replace' | 'skip';
  /** Of a key copied by commands, bytes that one call reads. */
  readonly chunkBytes: number;
  /** Another worker of the migration may have written keys of the part, and ended before it could write that down. */
  readonly tookOver: boolean;
  /** How many of these keys are on the target just as they are on the source. */
  readonly countEqual: (keys: readonly Buffer[]) => Promise<number>;
  /** Where scripts may be called. */
  readonly scripts: { readonly source: boolean; readonly target: boolean };
  readonly temporaryNames: TemporaryNames;
  /** Awaited before a key is copied by commands: writes down that there are temporary keys from now on. */
  readonly beforeTemporaryKeys: () => Promise<void>;
  readonly stop: StopSignal;
  readonly onTrouble: (trouble: string | null) => void;
  readonly attemptWrite: <T>(call: () => Promise<T>) => Promise<T>;
  readonly attemptBoth: <T>(call: () => Promise<T>) => Promise<T>;
}

/** What became of a part's keys. */
export interface PartOutcome {
  readonly counts: Partial<Counts>;
  readonly findings: readonly KeyFinding[];
  /** How many payloads the target does not take or could not read, so that their keys went by commands. */
  readonly refusedPayloads: number;
}

/** What the copy by commands tells of a key, or the error reply that concerns this key alone. */
type KeyOutcome =
  CommandCopyOutcome | { readonly kind: 'failed'; readonly code: 'command-refused'; readonly message: string };

/** An entry with the name that its key has on the source. */
interface PartEntry extends RestoreEntry {
  readonly sourceKey: Buffer;
}

const FULL_DELAY_MS = 2_000;
/** How many keys of one part are copied by commands at the same time. */
const COMMANDS_AT_ONCE = 8;

/** A Redis time beyond which a double is no longer exact to the millisecond; nothing real is there. */
const LATEST_EXPIRY = Number.MAX_SAFE_INTEGER;

/** Writes one part: what RESTORE does not take goes by commands or is a finding, what the target cannot take now waits. */
export async function writePart(part: Part, context: WriteContext): Promise<PartOutcome> {
  const sums = { copied: 0, converted: 0, expired: 0, skippedByConflict: 0, failed: 0, bytes: 0 };
  const findings: KeyFinding[] = [];
  const fail = (key: Buffer, code: string, message: string) => {
    sums.failed++;
    findings.push({ key, code, message });
  };
  const byCommands: Buffer[] = [];
  let entries: PartEntry[] = [];
  let refusedPayloads = 0;
  const { keys, payloads, expiries } = part.page;
  keys.forEach((sourceKey, i) => {
    const payload = payloads[i];
    if (payload === 'big') byCommands.push(sourceKey);
    else if (payload === undefined || !Buffer.isBuffer(payload)) sums.expired++;
    else {
      const passage = context.payloads.passageOf(payload);
      if (passage === 'by-commands') {
        refusedPayloads++;
        byCommands.push(sourceKey);
        return;
      }
      if (passage !== 'as-is') {
        fail(sourceKey, passage.code, passage.message);
        return;
      }
      const expiry = expiries[i] === 0 || expiries[i] === undefined ? 0 : targetExpiry(expiries[i], context);
      entries.push({ key: context.naming?.(sourceKey) ?? sourceKey, expiry, payload, sourceKey });
    }
  });

  let waited = false;
  /** Keys that the target had. */
  const there: Buffer[] = [];
  let sentTwice = false;
  while (entries.length > 0) {
    const now = entries;
    let sendings = 0;
    const refusals = await context.attemptWrite(() => {
      sendings++;
      return context.writer.write(now);
    });
    sentTwice ||= sendings > 1;
    const refused = new Map(refusals.map((refusal) => [refusal.index, refusal]));
    const again: typeof entries = [];
    let hindered: RedisError | undefined;
    now.forEach((item, i) => {
      const refusal = refused.get(i);
      if (refusal === undefined) {
        sums.copied++;
        sums.bytes += item.payload.length;
        return;
      }
      if (refusal.kind === 'expired') sums.expired++;
      else if (refusal.kind === 'keyExists') there.push(item.sourceKey);
      else if (refusal.kind === 'payloadUnreadable' || refusal.kind === 'payloadVersion') {
        refusedPayloads++;
        byCommands.push(item.sourceKey);
      } else if (refusal.error.asks === 'key') fail(item.sourceKey, 'restore-refused', refusal.error.message);
      else if (refusal.error.asks === 'stop') throw refusal.error;
      else {
        hindered = refusal.error;
        again.push(item);
      }
    });
    entries = again;
    if (hindered !== undefined) await waitForTarget(hindered, context);
    else if (waited) context.onTrouble(null);
    waited = hindered !== undefined;
  }

  const outcomes = await inParallel(byCommands, COMMANDS_AT_ONCE, (key) => copyWhenPossible(key, context));
  outcomes.forEach((outcome, i) => {
    const key = byCommands[i];
    if (key === undefined) return;
    if (outcome.kind === 'copied') {
      sums.copied++;
      sums.bytes += outcome.bytes;
      // An idle time that begins anew is no difference in data; it is in the documentation.
      const losses = outcome.losses.filter(({ kind }) => kind !== 'consumer-times');
      const [first] = losses;
      if (first !== undefined) {
        findings.push({ key, code: `lost-${first.kind}`, message: losses.map(({ message }) => message).join(' ') });
      }
    } else if (outcome.kind === 'expired') sums.expired++;
    else if (outcome.kind === 'conflict') there.push(key);
    else fail(key, outcome.code, outcome.message);
  });
  // Keys that the migration wrote itself, before a crash or on a connection that was lost, are no conflicts.
  const own = there.length > 0 && (context.tookOver || sentTwice) ? await context.countEqual(there) : 0;
  sums.copied += own;
  sums.skippedByConflict += there.length - own;
  for (const { converter, groups } of part.claims) {
    for (const outcome of await convertWhenPossible(converter, groups, context)) {
      if (outcome.kind === 'converted') {
        sums.converted++;
        sums.bytes += outcome.bytes;
      } else if (outcome.kind === 'expired') sums.expired++;
      else if (outcome.kind === 'conflict') sums.skippedByConflict++;
      else fail(outcome.key, outcome.code, outcome.message);
    }
  }
  return {
    counts: addCounts(addCounts(noCounts, part.counts), sums),
    findings,
    refusedPayloads,
  };
}

function targetExpiry(sourceExpiry: number, { clockOffset }: WriteContext): number {
  return Math.min(LATEST_EXPIRY, Math.round(sourceExpiry + clockOffset));
}

async function waitForTarget(error: RedisError, context: WriteContext): Promise<void> {
  context.onTrouble(error.message);
  await pause(FULL_DELAY_MS, context.stop);
}

async function copyWhenPossible(sourceKey: Buffer, context: WriteContext): Promise<KeyOutcome> {
  const { source, target, sourceVersion, targetVersion, stop } = context;
  await context.beforeTemporaryKeys();
  let tries = 0;
  for (let waited = false; ; waited = true) {
    try {
      const outcome = await context.attemptBoth(() => {
        tries++;
        return copyKeyByCommands(source, target, {
          sourceKey,
          targetKey: context.naming?.(sourceKey) ?? sourceKey,
          onConflict: context.onConflict,
          chunkBytes: context.chunkBytes,
          clockOffsetMs: context.clockOffset,
          source: sourceVersion,
          target: targetVersion,
          scripts: context.scripts,
          names: context.temporaryNames,
          shouldStop: () => mustStop(stop),
        });
      });
      // The connection may have been lost after the key had got its name.
      const isOwn = outcome.kind === 'conflict' && tries > 1 && (await context.countEqual([sourceKey])) === 1;
      if (isOwn) return { kind: 'copied', bytes: 0, losses: [] };
      if (outcome.kind === 'failed' && outcome.code === 'stopped') stop.check();
      if (waited) context.onTrouble(null);
      return outcome;
    } catch (error) {
      if (error instanceof StoppedError || error instanceof SourceChangedError || !(error instanceof Error))
        throw error;
      if (!(error instanceof RedisError) || error.asks === 'key') {
        return { kind: 'failed', code: 'command-refused', message: error.message };
      }
      if (error.asks !== 'room') throw error;
      await waitForTarget(error, context);
    }
  }
}

function mustStop(stop: StopSignal): boolean {
  try {
    stop.check();
    return false;
  } catch {
    return true;
  }
}

async function convertWhenPossible(
  converter: Converter,
  groups: readonly Group[],
  context: WriteContext,
): Promise<readonly GroupOutcome[]> {
  const { source, target, clockOffset, naming, stop } = context;
  for (;;) {
    try {
      return await context.attemptBoth(() =>
        converter.write(groups, { source, target, clockOffset, naming: naming ?? ((key) => key), stop }),
      );
    } catch (error) {
      if (!(error instanceof RedisError) || error.asks !== 'room') throw error;
      await waitForTarget(error, context);
    }
  }
}

async function inParallel<T, R>(items: readonly T[], atOnce: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) {
      const item = items[i];
      if (item === undefined) continue;
      try {
        results[i] = await work(item);
      } catch (error) {
        next = items.length;
        throw error;
      }
    }
  };
  // None is left at work behind the back of whoever hears of a failure.
  const ends = await Promise.allSettled(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  return results;
}
