import { placeOf, startPlace } from '../keyspace/cursor';
import { brokenRange, inEpoch, phases, rangeName, type MigrationRow, type Phase, type RangeRow } from './rows';
import { contradictionIn } from './counts';
import type { Plan, WalkedDatabase } from './plan';

/** Which part of the keyspace a range is. */
export type Shape = Pick<RangeRow, 'number' | 'database' | 'index' | 'bits'>;

/** The databases that a phase walks: the source's, in the phase `extra` the target's. */
export function walkedDatabases(
  plan: Pick<Plan, 'databases' | 'targetDatabases'>,
  phase: Phase,
): readonly WalkedDatabase[] {
  return phase === 'extra' ? (plan.targetDatabases ?? []) : plan.databases;
}

/** The ranges that a plan means for a phase, by their numbers. */
export function shapesOf(plan: Pick<Plan, 'databases' | 'targetDatabases'>, phase: Phase): Shape[] {
  const shapes: Shape[] = [];
  for (const { database, bits } of walkedDatabases(plan, phase)) {
    for (let index = 0; index < 2 ** bits; index++) shapes.push({ number: shapes.length, database, index, bits });
  }
  return shapes;
}

/**
 * Holds the rows that the ledger gave against the plan: the rows of all phases up to the current one, those of the current
 * one as they count in its epoch. A row that is lost, cannot be read, or says what cannot be, is a failed range that says
 * so; what the plan does not know is one too, with a number below zero.
 * @param rows all rows of the phases `begun`
 */
export function rowsOfPlan(
  migration: MigrationRow,
  rows: readonly RangeRow[],
  begun: readonly Phase[] = phases.slice(0, phases.indexOf(migration.phase) + 1),
): RangeRow[] {
  const { plan, phase: current } = migration;
  const open = new Map(rows.map((row) => [row.name, row]));
  const held: RangeRow[] = [];
  for (const phase of begun) {
    const isComplete = migration.phasesWithRows.includes(phase);
    for (const shape of shapesOf(plan, phase)) {
      const name = rangeName(phase, shape.number);
      const row = open.get(name);
      open.delete(name);
      if (row !== undefined) held.push(asPlanned(row, shape, migration));
      else if (isComplete) held.push(lost(migration.id, name, phase, shape));
    }
  }
  for (const row of open.values()) {
    // Another visit may have begun the next phase since the plan row was read.
    if (row.number >= 0 && !begun.includes(row.phase)) continue;
    const cause = `The ledger has a row of a range ${row.name}, which the plan does not know.`;
    held.push(brokenRange({ ...row, phase: current, number: -1 }, row, cause));
  }
  return held;
}

function lost(migration: string, name: string, phase: Phase, shape: Shape): RangeRow {
  const cause = `The ledger has lost the row of the range ${name}: what became of its keys is not known.`;
  return brokenRange({ migration, name, phase, number: shape.number, etag: '' }, shape, cause);
}

function asPlanned(row: RangeRow, shape: Shape, migration: MigrationRow): RangeRow {
  if (row.broken) return { ...row, ...shape };
  const wrong = wrongWith(row, shape, migration);
  if (wrong === undefined) return row.phase === migration.phase ? inEpoch(row, migration.epoch) : row;
  return brokenRange(row, shape, `The ledger's row of the range ${row.name} cannot be true: ${wrong}.`);
}

function wrongWith(row: RangeRow, shape: Shape, migration: MigrationRow): string | undefined {
  if (row.database !== shape.database || row.index !== shape.index || row.bits !== shape.bits) {
    return 'it is of another part of the keyspace than in the plan';
  }
  if (row.epoch > migration.epoch) return `it is of epoch ${row.epoch}, the migration of epoch ${migration.epoch}`;
  if (row.state === 'done') {
    if (row.share !== 1) return 'it is done and not at its end';
  } else if (row.cursor !== '0' && placeOf(BigInt(row.cursor)) < startPlace(row)) {
    return 'its cursor is before its beginning';
  }
  return contradictionIn(row.counts);
}
