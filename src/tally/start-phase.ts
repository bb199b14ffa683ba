import type { App } from '../app/app';
import { mustWalkAnew, see, sinceOfTarget, walkBegins, type Course } from '../migration/course';
import {
  isFollowed,
  isPass,
  phaseAt,
  phaseOf,
  placeInPlan,
  walksOf,
  walksSource,
  withWalk,
  type LookDepth,
} from '../migration/phases';
import { isFinal, type MigrationRow } from '../migration/rows';
import { askSide } from '../app/side-facts';
import { cursorProcessOf } from '../redis/probe';
import { hasOtherData, markOf, type Mark } from '../migration/since';
import { ensureRows } from '../start/start-migration';
import { whyStop } from './source-loss';
import type { DueStart } from './tally-visit';

/**
 * Begins a phase: writes it down, then its range rows, then its messages. Safe to be done twice, and by several at once; after
 * a crash between any two of these the keeper goes on with it. Does nothing while a side does not answer.
 */
export async function startPhase(
  id: string,
  due: DueStart,
  app: Pick<App, 'connections' | 'files' | 'ledger' | 'queue' | 'watch'>,
): Promise<void> {
  const known = await app.ledger.migrations.get(id);
  if (known === undefined || isFinal(known)) return;
  // A pass of a source that is followed belongs to the session that it begins in. Before both sides are asked: that shows what came before.
  const follower = isFollowed(known.plan) ? await app.ledger.live.get(id) : undefined;
  const session = follower?.session ?? '';
  const asked = await Promise.all([askSide(known, 'source', app), askSide(known, 'target', app)]);
  const [source, target] = asked.map(({ facts }) => facts);
  // The next visit finds the phase due again.
  if (source === undefined || target === undefined) return;
  const sides = { source: markOf(source), target: markOf(target) };
  // The walk before must come again: what begins now would be held against databases that were exchanged meanwhile.
  const { plan } = known;
  const phase = phaseOf(plan, due);
  if (!isFollowed(plan) && mustWalkAnew(known.course, sides.source)) return;
  // Whoever follows says whether a source that is another process is to be believed, and has not seen it yet.
  if (isFollowed(plan) && (session === '' || follower?.runId !== source.runId)) return;
  if (isFollowed(plan) && isPass(phase)) {
    const before = (await app.ledger.snapshots.get(id)) ?? { sourceKeysNow: null };
    // The next visit stops it.
    if (whyStop(known, source, before, asked[0].shards) !== undefined) return;
  }
  const place = placeInPlan(plan, due);
  const { pass = 0 } = due;
  const isAnew = place <= placeInPlan(plan, due.from);
  // Rows that were walked before are there, and must have done nothing yet.
  const isAgain = plan.phases.slice(0, place).some(({ name }) => name === due.phase);
  const epoch = due.from.epoch + (isAnew || isAgain ? 1 : 0);
  const begin = (row: MigrationRow): MigrationRow => {
    const walks = withWalk(plan, walksOf(row), { place, epoch });
    const before = walks.slice(0, -1).map((walk) => phaseAt(plan, walk.place).phase);
    return {
      ...row,
      phase: due.phase,
      pass,
      epoch,
      state: phase.state,
      walkedRunId: cursorProcessOf(phase.side === 'target' ? target : source),
      // Of what is walked again no row is there as it must be.
      phasesWithRows: row.phasesWithRows.filter((name) => before.includes(name)),
      course: { ...courseOf(row, due, isAnew, sides), walks, ...(isPass(phase) ? { session } : {}) },
    };
  };
  let hasBegun = false as boolean;
  const migration = await app.ledger.migrations.update(id, (row) => {
    hasBegun = !isFinal(row) && !row.cancelRequested && isAt(row, due.from);
    return hasBegun ? begin(row) : undefined;
  });
  // Who has begun it sends its ranges, and where that one dies over it the keeper does.
  if (!hasBegun || migration === undefined) return;
  app.watch.forget(id);
  await ensureRows(migration, app);
}

function isAt({ phase, pass, epoch }: MigrationRow, place: DueStart['from']): boolean {
  return phase === place.phase && pass === (place.pass ?? 0) && epoch === place.epoch;
}

/** A walk over the source is what the verdict rests on from then on; a walk over the target belongs to the one before it. */
function courseOf(
  row: MigrationRow,
  due: DueStart,
  isAnew: boolean,
  { source, target }: { readonly source: Mark; readonly target: Mark },
): Course {
  const seen = see(see(row.course, 'source', source), 'target', target);
  const now: Course = { ...seen, anew: seen.anew + (isAnew ? 1 : 0) };
  if (!walksSource(phaseOf(row.plan, due))) return now;
  // What a file was planned with is what its first walk is held against.
  const before = row.plan.phases.slice(0, placeInPlan(row.plan, due));
  if (!isAnew && before.length > 0 && before.every(({ work }) => work === 'read')) return now;
  return walkBegins(now, source, target, depthOf(due, row, target));
}

/** What has happened to the target since the phase was found to be due may ask for more than that. */
function depthOf(due: DueStart, { course, plan }: MigrationRow, target: Mark): LookDepth | null {
  const { when } = phaseOf(plan, due);
  if (when.kind !== 'inDoubt') return due.depth ?? null;
  return hasOtherData(sinceOfTarget(course, target)) ? when.otherData : (due.depth ?? when.otherData);
}
