import { z } from 'zod';
import { amount, isoTime, type DocumentOf } from '../migration/document';
import { phaseOf, sideNames } from '../migration/phases';
import { isFinal, isSign, PHASE_NAME, resetIfOlder, type MigrationRow, type RangeRow } from '../migration/rows';

/** How a range stands, for people: an active one may be held up, or its worker be silent. */
export const standings = ['planned', 'active', 'held', 'silent', 'done', 'failed', 'cancelled'] as const;
export type Standing = (typeof standings)[number];

const MOST_TROUBLED = 100;

/** The document of GET /api/migrations/{id}/ranges: short even for 16,384 ranges. */
export const rangesSchema = z
  .object({
    phase: z.string().regex(PHASE_NAME).describe('The name of the current phase: copy, sync, look and others.'),
    pass: amount.describe('How often a phase of this name was walked before.'),
    side: z.enum(sideNames).describe('Whose keys the phase walks.'),
    databases: z.array(
      z.object({
        database: amount,
        states: z
          .string()
          .regex(new RegExp(`^[${standings.map((name) => name.charAt(0)).join('')}]*$`))
          .describe(
            `One letter a range, in the order of the keyspace: the first of ${standings.join(', ')}. Held: something is in its way; silent: its worker has given no sign for long.`,
          ),
      }),
    ),
    troubled: z
      .array(
        z.object({
          database: amount,
          index: amount,
          state: z.enum(standings),
          percent: z.number().min(0).max(100).describe('Of the range: behind its cursor.'),
          heartbeat: isoTime.nullable(),
          message: z.string().nullable(),
        }),
      )
      .max(MOST_TROUBLED)
      .describe('Ranges that need a look: failed, silent and held up, in this order.'),
  })
  .meta({ id: 'Ranges' });

export type RangesReport = DocumentOf<typeof rangesSchema>;

const WORST_FIRST: readonly Standing[] = ['failed', 'silent', 'held'];

/**
 * How one range stands at a time, ms since 1970; the row must be in its migration's epoch.
 * @param silenceMs after how long without a sign a worker is silent
 */
export function standingOf(
  row: Pick<RangeRow, 'state' | 'heartbeat' | 'trouble'>,
  now: number,
  silenceMs: number,
): Standing {
  if (row.state !== 'active') return row.state;
  if (row.heartbeat !== null && !isSign(row.heartbeat, now, silenceMs)) return 'silent';
  return row.trouble === null ? 'active' : 'held';
}

/** Puts the rows of the migration's phase together. Of one that has ended no range is silent: nobody works any more. */
export function makeRangesReport(
  migration: MigrationRow,
  rows: readonly RangeRow[],
  now: number,
  silenceMs: number,
): RangesReport {
  const silence = isFinal(migration) ? Number.POSITIVE_INFINITY : silenceMs;
  const ranges = rows
    .filter((row) => row.phase === migration.phase)
    .map((row) => resetIfOlder(row, migration))
    .map((row) => ({ row, state: standingOf(row, now, silence) }))
    .sort((a, b) => a.row.number - b.row.number);
  const letters = new Map<number, string[]>();
  for (const { row, state } of ranges) {
    const known = letters.get(row.database);
    if (known === undefined) letters.set(row.database, [state.charAt(0)]);
    else known.push(state.charAt(0));
  }
  const troubled = WORST_FIRST.flatMap((worst) => ranges.filter(({ state }) => state === worst));
  return {
    phase: migration.phase,
    pass: migration.pass,
    side: phaseOf(migration.plan, migration).side,
    databases: [...letters].map(([database, states]) => ({ database, states: states.join('') })),
    troubled: troubled.slice(0, MOST_TROUBLED).map(({ row, state }) => ({
      database: row.database,
      index: row.index,
      state,
      percent: Math.floor(row.share * 1_000) / 10,
      heartbeat: row.heartbeat,
      message: row.cause ?? row.trouble,
    })),
  };
}
