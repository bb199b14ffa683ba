import { placeOf, startPlace } from '../keyspace/cursor';
import { contradictionIn } from './counts';
import { phaseAt, phaseOf, walksOf } from './phases';
import type { Plan, WalkedDatabase } from './plan';
import { brokenRange, rangeName, resetIfOlder, type MigrationRow, type RangeRow } from './rows';

/** Which part of the keyspace a range is. */
export type Shape = Pick<RangeRow, 'number' | 'database' | 'index' | 'bits'>;

type WalkPlan = Pick<Plan, 'databases' | 'targetDatabases' | 'phases'>;

/** A file is read in one piece. */
const WHOLE: readonly WalkedDatabase[] = [{ database: 0, keys: 1, bits: 0 }];

/** The databases that a phase walks: of the source, of the target, or none. */
export function walkedDatabases(plan: WalkPlan, phase: string): readonly WalkedDatabase[] {
  const { side, until, work } = phaseOf(plan, { phase });
  if (until !== undefined) return [];
  if (work === 'read') return WHOLE;
  return side === 'target' ? (plan.targetDatabases ?? []) : plan.databases;
}

/** The ranges that a plan means for a phase, by their numbers. */
export function shapesOf(plan: WalkPlan, phase: string): Shape[] {
  const shapes: Shape[] = [];
  for (const { database, bits } of walkedDatabases(plan, phase)) {
    for (let index = 0; index < 2 ** bits; index++) shapes.push({ number: shapes.length, database, index, bits });
  }
  return shapes;
}

/**
 * Holds the rows that the ledger gave against the plan: the rows of all walks that count, each as it counts in its one. A row
 * that is lost, cannot be read, or says what cannot be, is a failed range that says so; what the plan does not know is one too,
 * with a number below zero.
 * @param rows all rows of the walks wanted
 * @param wanted all walks that have begun and count, or the current one alone
 */
export function rowsOfPlan(
  migration: MigrationRow,
  rows: readonly RangeRow[],
  wanted: 'begun' | 'current' = 'begun',
): RangeRow[] {
  const { plan, phase: current } = migration;
  const walks = walksOf(migration).slice(wanted === 'begun' ? 0 : -1);
  const open = new Map(rows.map((row) => [row.name, row]));
  const held: RangeRow[] = [];
  const walked = new Set<string>();
  for (const walk of walks) {
    const { phase, pass } = phaseAt(plan, walk.place);
    walked.add(phase);
    const isComplete = migration.phasesWithRows.includes(phase);
    for (const shape of shapesOf(plan, phase)) {
      const name = rangeName(phase, shape.number);
      const row = open.get(name);
      open.delete(name);
      if (row !== undefined) held.push(asPlanned(row, shape, { pass, epoch: walk.epoch }, migration));
      else if (isComplete) held.push(lost(migration.id, name, phase, shape));
    }
  }
  for (const row of open.values()) {
    // Of a phase that another visit may have begun since the plan row was read, or that must come again.
    if (row.number >= 0 && plan.phases.some(({ name }) => name === row.phase && !walked.has(name))) continue;
    const cause = `The ledger has a row of a range ${row.name}, which the plan does not know.`;
    held.push(brokenRange({ ...row, phase: current, number: -1 }, row, cause));
  }
  return held;
}

function lost(migration: string, name: string, phase: string, shape: Shape): RangeRow {
  const cause = `The ledger has lost the row of the range ${name}: what became of its keys is not known.`;
  return brokenRange({ migration, name, phase, number: shape.number, etag: '' }, shape, cause);
}

/** When a row's phase began last. */
type Began = Pick<MigrationRow, 'pass' | 'epoch'>;

function asPlanned(row: RangeRow, shape: Shape, walk: Began, migration: MigrationRow): RangeRow {
  if (row.broken) return { ...row, ...shape };
  const wrong = wrongWith(row, shape, walk, migration);
  if (wrong === undefined) return resetIfOlder(row, walk);
  return brokenRange(row, shape, `The ledger's row of the range ${row.name} cannot be true: ${wrong}.`);
}

function wrongWith(row: RangeRow, shape: Shape, walk: Began, { epoch }: MigrationRow): string | undefined {
  if (row.database !== shape.database || row.index !== shape.index || row.bits !== shape.bits) {
    return 'it is of another part of the keyspace than in the plan';
  }
  if (row.epoch > epoch) return `it is of epoch ${row.epoch}, the migration of epoch ${epoch}`;
  if (row.epoch >= walk.epoch && row.pass !== walk.pass)
    return `it is of pass ${row.pass}, the phase of pass ${walk.pass}`;
  if (row.state === 'done') {
    if (row.share !== 1) return 'it is done and not at its end';
  } else if (row.cursor !== '0' && placeOf(BigInt(row.cursor)) < startPlace(row)) {
    return 'its cursor is before its beginning';
  }
  return contradictionIn(row.counts);
}
