import { z } from 'zod';
import { SLOTS } from '../keyspace/hash-slot';
import { firstSlotOf, lastSlotOf, slotOf } from '../keyspace/slot-walk';
import { accountedKeys } from './counts';
import { amount, type DocumentOf } from './document';
import { phaseOf, type SideName } from './phases';
import type { Plan } from './plan';
import type { MigrationRow, RangeRow } from './rows';

/** A run of slots, both ends included. */
export type SlotRun = readonly [first: number, last: number];

/** What a master of a cluster told when it was asked last. */
export interface ShardTold {
  /** As it announces itself, "host:port"; null for the slots that no master has. */
  readonly node: string | null;
  readonly slots: readonly SlotRun[];
  /** Undefined where it does not tell. */
  readonly keys?: number | undefined;
  /** Why it does not answer; null where it does. */
  readonly trouble: string | null;
}

/** A master of a cluster, with how far the walk is over the slots that it owns. */
export interface Shard extends ShardTold {
  /** Keys of its slots that are accounted for; undefined where that is not known. */
  readonly walked?: number | undefined;
  /** Of its slots, those that are behind the walk; undefined where the walk says nothing of them. */
  readonly passed?: number | undefined;
  /** What holds up a range that stands at one of its slots. */
  readonly heldUp: string | null;
}

/** The shards of the sides that are clusters. */
export type Shards = Readonly<Partial<Record<SideName, readonly Shard[] | undefined>>>;

/** What the sides that are clusters told. */
export type ShardsTold = Readonly<Partial<Record<SideName, readonly ShardTold[] | undefined>>>;

const shardSchema = z.object({
  node: z.string().nullable().describe('The master as it announces itself, host:port; null: slots that no master has.'),
  slots: amount.describe('Slots that it owns.'),
  keys: amount.nullable().describe('Keys that it has; null where it does not tell.'),
  walked: amount
    .nullable()
    .describe(
      'Keys of its slots that the walk has accounted for; null where that is not known, as after slots have moved in between.',
    ),
  percent: z
    .number()
    .min(0)
    .max(100)
    .nullable()
    .describe('How much of its slots is behind the walk; null where no walk goes by them.'),
  trouble: z.string().nullable().describe('Why it does not answer, or what holds up a range of its slots.'),
});

/** The part of a migration's document that tells of the masters of clusters. */
export const shardsSchema = z.object({
  source: z.array(shardSchema).optional(),
  target: z.array(shardSchema).optional(),
});

export type ShardReport = DocumentOf<typeof shardSchema>;
export type ShardsReport = DocumentOf<typeof shardsSchema>;

/** With the slots that none of these masters owns as one more shard. */
export function withUnowned(told: readonly ShardTold[]): ShardTold[] {
  const owned = new Array<boolean>(SLOTS).fill(false);
  for (const { slots } of told) for (const [first, last] of slots) owned.fill(true, first, last + 1);
  const slots: [number, number][] = [];
  for (let slot = 0; slot < SLOTS; slot++) {
    if (owned[slot] === true) continue;
    const run = slots.at(-1);
    if (run?.[1] === slot - 1) run[1] = slot;
    else slots.push([slot, slot]);
  }
  return slots.length === 0
    ? [...told]
    : [...told, { node: null, slots, trouble: 'No master has these slots: nothing reads or writes them.' }];
}

/**
 * How far the walk of the current phase is over each shard.
 * @param rows those of the current phase, held against the plan
 */
export function sumShards(migration: Migration, told: ShardsTold, rows: readonly RangeRow[]): Shards | undefined {
  const ofSide = (side: SideName) => {
    const { [side]: shards } = told;
    return shards && { [side]: sumOver(shards, goesBySlots(migration, side) ? rows : []) };
  };
  const { source, target } = { ...ofSide('source'), ...ofSide('target') } as Shards;
  return source === undefined && target === undefined ? undefined : { source, target };
}

type Migration = Pick<MigrationRow, 'phase'> & {
  readonly plan: Pick<Plan, 'phases' | 'databases'> & {
    readonly request: Pick<Plan['request'], 'rename' | 'convert'>;
  } & Readonly<Record<SideName, { readonly cluster: boolean }>>;
};

/** Whether the ranges of the phase are intervals of this side's slots: it is walked, or its keys have the names of those that are. */
function goesBySlots({ plan, phase }: Migration, side: SideName): boolean {
  const { side: walked, until } = phaseOf(plan, { phase });
  if (until !== undefined || !plan[walked].cluster) return false;
  const { rename, convert } = plan.request;
  const sameNames = rename.length === 0 && convert.length === 0 && plan.databases.every(({ prefix }) => prefix === '');
  return walked === side || sameNames;
}

/** The keys of an interval of slots that were accounted for together. */
interface Stretch {
  readonly first: number;
  /** The first slot behind it. */
  readonly end: number;
  /** Undefined where it is not known. */
  readonly keys: number | undefined;
}

/** Slots one after the other that one shard has, or none. */
interface OwnedRun {
  readonly first: number;
  /** The first slot behind it. */
  readonly end: number;
  readonly shard: number | undefined;
}

/** All slots in their order. */
function ownedRuns(told: readonly ShardTold[]): OwnedRun[] {
  const ownerOf = new Array<number | undefined>(SLOTS).fill(undefined);
  told.forEach(({ slots }, shard) => {
    for (const [first, last] of slots) ownerOf.fill(shard, first, last + 1);
  });
  const runs: OwnedRun[] = [];
  for (let [first, slot] = [0, 1]; slot <= SLOTS; slot++) {
    if (slot < SLOTS && ownerOf[slot] === ownerOf[first]) continue;
    runs.push({ first, end: slot, shard: ownerOf[first] });
    first = slot;
  }
  return runs;
}

/** What runs have of an interval. */
function within(runs: readonly OwnedRun[], first: number, end: number): OwnedRun[] {
  return runs.flatMap((run) =>
    run.end <= first || run.first >= end
      ? []
      : { shard: run.shard, first: Math.max(first, run.first), end: Math.min(end, run.end) },
  );
}

function sumOver(told: readonly ShardTold[], rows: readonly RangeRow[]): Shard[] {
  const runs = ownedRuns(told);
  const passed = told.map(() => 0);
  const walked: (number | undefined)[] = told.map(() => 0);
  const heldUp: (string | null)[] = told.map(() => null);
  for (const row of rows) {
    const first = firstSlotOf(row);
    const next = nextSlotOf(row);
    for (const { shard, first: from, end } of within(runs, first, next)) {
      if (shard !== undefined) passed[shard] = (passed[shard] ?? 0) + end - from;
    }
    for (const { first: from, end, keys } of stretchesOf(row, first, next)) {
      if (keys === 0) continue;
      const owners = new Set(within(runs, from, end).map(({ shard }) => shard));
      for (const owner of owners) {
        if (owner === undefined) continue;
        const before = walked[owner];
        const isKnown = owners.size === 1 && before !== undefined && keys !== undefined;
        walked[owner] = isKnown ? before + keys : undefined;
      }
    }
    const slot = Math.min(next, lastSlotOf(row));
    const [at] = within(runs, slot, slot + 1);
    if (at?.shard !== undefined && row.state === 'active') heldUp[at.shard] ??= row.trouble;
  }
  return told.map(({ node, slots, keys, trouble }, i) => ({
    ...{ node, slots, keys, trouble },
    ...(rows.length === 0 ? {} : { walked: walked[i], passed: passed[i] }),
    heldUp: heldUp[i] ?? null,
  }));
}

/** The first slot that the walk has not passed. */
function nextSlotOf(row: RangeRow): number {
  if (row.broken === true) return firstSlotOf(row);
  return row.share === 1 ? lastSlotOf(row) + 1 : slotOf(BigInt(row.cursor));
}

/** What a row counts, split where it was noted how much that was. What is counted of the slot at the cursor belongs to the last one. */
function stretchesOf(row: RangeRow, first: number, next: number): Stretch[] {
  if (row.broken === true) return [{ first, end: lastSlotOf(row) + 1, keys: undefined }];
  const stretches: Stretch[] = [];
  let [from, before] = [first, 0];
  const add = (end: number, keys: number) => {
    // A number that is smaller than one before cannot be true.
    stretches.push({ first: from, end: Math.max(end, from + 1), keys: keys < before ? undefined : keys - before });
    [from, before] = [end, keys];
  };
  for (const [slot, keys] of row.borders) if (slot > from && slot <= next) add(slot, keys);
  add(Math.min(next, lastSlotOf(row) + 1), accountedKeys(row.counts));
  return stretches;
}

/** How the shards are told to people and programs. */
export function shardsReport({ source, target }: Shards): ShardsReport {
  return { ...(source && { source: source.map(shardReport) }), ...(target && { target: target.map(shardReport) }) };
}

/** One of them. */
export function shardReport({ node, slots, keys, walked, passed, trouble, heldUp }: Shard): ShardReport {
  const all = slotsIn(slots);
  return {
    node,
    slots: all,
    keys: keys ?? null,
    walked: walked ?? null,
    percent: passed === undefined ? null : all === 0 ? 100 : Math.floor((passed / all) * 1_000) / 10,
    trouble: trouble ?? heldUp,
  };
}

function slotsIn(runs: readonly SlotRun[]): number {
  return runs.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}
