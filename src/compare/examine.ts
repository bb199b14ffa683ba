import type { KeyNotes } from '../range/page-place';
import type { ChunkBudget } from '../transfer/by-commands';
import type { Side } from '../transfer/side';
import { commandWindows } from './command-windows';
import { differenceOf, type Difference } from './difference';
import { differingFields, fieldExpiries } from './field-expiries';
import { keyFacts, type KeyFacts } from './key-facts';
import type { Depth } from './overview';
import type { KnownValue } from './known-value';
import { scriptWindows, scriptWindowsByKey, scriptWindowsByNode } from './script-windows';
import { valuePrints, type ValuePrint, type WindowReader } from './value-prints';

/** A key on the source, and the name it should have on the target. */
export interface Pair {
  readonly source: Buffer;
  readonly target: Buffer;
  /** What the source has, where nobody need be asked for it: of all pairs of a range or of none. */
  readonly known?: KnownValue;
}

export interface Comparison {
  readonly source: Side;
  readonly target: Side;
  readonly depth: Depth;
  /** Whether two absolute expiries, each in ms of its own server's clock and 0 for none, are the same moment. */
  readonly expiriesAgree: (source: number, target: number) => boolean;
  /** The target's clock minus the source's, ms. */
  readonly targetMinusSource: number;
  /** The memory that values may take which are read, where scripts are not allowed. */
  readonly budget: ChunkBudget;
  /** Throws when the work must end. */
  readonly goOn: () => void;
  /** Where it is noted how far the fingerprints of large values got, by the names of each side. */
  readonly notes?: { readonly source: KeyNotes; readonly target: KeyNotes };
}

/** What became of a pair: nothing to tell, gone from the source, or how it differs. */
export type Examined = 'same' | 'gone' | Difference;

/** Looks closely at keys, one after the other: facts, and where these agree and it is asked for, values. */
export async function examine(pairs: readonly Pair[], comparison: Comparison): Promise<Examined[]> {
  if (pairs.length === 0) return [];
  const { source, target, depth, expiriesAgree, notes } = comparison;
  const [here, there] = await Promise.all([
    known(pairs)?.map((value) => value.facts()) ?? source.attempt(() => keyFacts(source, names(pairs, 'source'))),
    target.attempt(() => keyFacts(target, names(pairs, 'target'))),
  ]);
  const comparable = pairs.map((_, i) => i).filter((i) => depth === 'full' && mayBeEqual(here[i], there[i]));
  const values = new Map<number, ComparedValue>();
  const compared = await compareValues(
    comparable.map((i) => pairs[i]).filter((pair) => pair !== undefined),
    comparison,
  );
  comparable.forEach((place, i) => {
    const result = compared[i];
    if (result !== undefined) values.set(place, result);
  });
  // What was read of a value that is not compared with any is of no use either.
  for (const pair of pairs) notes?.source.set(pair.source, undefined);
  return pairs.map((_, i): Examined => {
    const [one, other] = [here[i], there[i]];
    if (one === undefined) return 'gone';
    const { agree = true, fieldsThatDiffer = 0, unknown } = values.get(i) ?? {};
    const sides = {
      source: one,
      target: other,
      targetMinusSource: comparison.targetMinusSource,
      valuesAgree: agree,
      incomparable: unknown ?? pairs[i]?.known?.unknown,
      expiriesAgree: other !== undefined && expiriesAgree(one.expiry, other.expiry),
      fieldsThatDiffer,
    };
    return differenceOf(sides) ?? 'same';
  });
}

interface ComparedValue {
  readonly agree: boolean;
  readonly fieldsThatDiffer: number;
  /** Why they cannot be compared, where that is so. */
  readonly unknown?: string | undefined;
}

/** Whether the values of keys are equal, and how many fields of hashes expire at other times. */
export async function compareValues(pairs: readonly Pair[], comparison: Comparison): Promise<ComparedValue[]> {
  if (pairs.length === 0) return [];
  const { source, target, expiriesAgree, budget, goOn, notes } = comparison;
  const prints = (side: Side, keys: readonly Buffer[], noted: KeyNotes | undefined): Promise<ValuePrint[]> => {
    const windows = windowsOf(side, budget);
    const read: WindowReader = (asked, froms) => side.attempt(() => windows(asked, froms));
    return valuePrints(read, keys, goOn, noted);
  };
  const [here, there] = await Promise.all([
    known(pairs)?.map((value) => value.print()) ?? prints(source, names(pairs, 'source'), notes?.source),
    prints(target, names(pairs, 'target'), notes?.target),
  ]);
  for (const pair of pairs) {
    notes?.source.set(pair.source, undefined);
    notes?.target.set(pair.target, undefined);
  }
  return await Promise.all(
    pairs.map(async (pair, i) => {
      const [one, other] = [here[i], there[i]];
      const unknown = one?.unknown ?? other?.unknown;
      if (unknown !== undefined) return { agree: false, fieldsThatDiffer: 0, unknown };
      const agree = one !== undefined && one.type === other?.type && one.print === other.print;
      const unlike = one?.type === other?.type ? (one?.unlike ?? other?.unlike) : undefined;
      if (!agree && unlike !== undefined) return { agree: false, fieldsThatDiffer: 0, unknown: unlike };
      const expiring = (one?.expiringFields ?? 0) + (other?.expiringFields ?? 0);
      if (!agree || expiring === 0) return { agree, fieldsThatDiffer: 0 };
      const [ours, theirs] = await Promise.all([
        pair.known?.fieldExpiries() ?? source.attempt(() => fieldExpiries(source.port, pair.source)),
        target.attempt(() => fieldExpiries(target.port, pair.target)),
      ]);
      return { agree, fieldsThatDiffer: differingFields(ours, theirs, expiriesAgree) };
    }),
  );
}

function windowsOf(side: Side, budget: ChunkBudget): WindowReader {
  if (side.scripts) return scriptWindows(side.port);
  const byCommands = commandWindows(side, budget);
  if (side.nodeScripts !== true) return byCommands;
  return scriptWindowsByNode(side.port, scriptWindowsByKey(side.port, byCommands));
}

function mayBeEqual(here: KeyFacts | undefined, there: KeyFacts | undefined): boolean {
  return here !== undefined && here.type === there?.type && here.length === there.length;
}

function names(pairs: readonly Pair[], side: 'source' | 'target'): Buffer[] {
  return pairs.map((pair) => pair[side]);
}

/** What is known of the source's keys; undefined where it is to be asked. */
function known(pairs: readonly Pair[]): readonly KnownValue[] | undefined {
  const values = pairs.flatMap((pair) => pair.known ?? []);
  if (values.length === 0) return undefined;
  if (values.length < pairs.length)
    throw new Error('Of some keys of a range it is known what they are, of others not.');
  return values;
}
