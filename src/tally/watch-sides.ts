import type { App } from '../app/app';
import type { SideFacts } from '../app/side-facts';
import { MOST_EXCHANGES, mustWalkAnew, see, seeReset, sinceOfSource, unsteady, type Course } from '../migration/course';
import { isFollowed, phaseOf, sideNames, walksSource } from '../migration/phases';
import type { Snapshot } from '../migration/report';
import { isFinal, type MigrationRow } from '../migration/rows';
import type { ShardTold } from '../migration/shards';
import type { SideSpec } from '../migration/side-spec';
import { whySidesMet } from '../migration/same-server';
import { markOf, since, type Mark } from '../migration/since';
import { claimAlso } from '../start/target-claims';
import { restartRanges } from './restart-ranges';
import { stopMigration } from './settle-ranges';
import { whyStop } from './source-loss';

/** What both sides tell of themselves now; undefined while one does not answer. */
export interface Marks {
  readonly source: Mark | undefined;
  readonly target: Mark | undefined;
}

/** Notes in the migration's row what has become of both sides, and stops it where a side is not to be believed any more. */
export async function watchSides(
  known: MigrationRow,
  before: Snapshot,
  { source, target }: Marks,
  app: Pick<App, 'connections' | 'ledger' | 'settings' | 'telemetry' | 'watch'>,
): Promise<MigrationRow> {
  const { id, plan } = known;
  const met = source && target && whySidesMet(plan, source, target);
  if (met !== undefined) return (await stopMigration(known, met, app)) ?? known;
  const others = {
    source: othersThan(source, plan.request.source, app),
    target: othersThan(target, plan.request.target, app),
  };
  const seen = (course: Course): Course => {
    let now = course;
    if (source !== undefined) {
      for (const runId of others.source) now = see(now, 'source', { runId });
      now = see(now, 'source', source);
      if (since(before.marks?.source ?? markOf(plan.source), source).reset) now = seeReset(now, 'source');
    }
    if (target !== undefined && !plan.inPlace) {
      for (const runId of others.target) now = see(now, 'target', { runId });
      now = see(now, 'target', target);
      if (since(before.marks?.target ?? markOf(plan.target), target).reset) now = seeReset(now, 'target');
    }
    return now;
  };
  const note = async (change: (course: Course) => Course): Promise<MigrationRow> => {
    const updated = await app.ledger.migrations.update(id, (row) => {
      const course = change(row.course);
      return isFinal(row) || course === row.course ? undefined : { ...row, course };
    });
    return updated ?? known;
  };
  let migration = known;
  if (seen(known.course) !== known.course) {
    app.telemetry.log('warn', 'A side restarted, failed over or was reset', { 'keyferry.migration': id });
    migration = await note(seen);
    for (const side of sideNames) {
      const stop = unsteady(migration.course, side, plan);
      if (stop !== undefined) return (await stopMigration(known, stop, app)) ?? migration;
    }
  }
  if (target !== undefined && !plan.inPlace && target.runId !== migration.course.claimed) {
    const other = await claimAlso(known, target.runId, app);
    if (other !== undefined) return (await stopMigration(known, alsoWritten(other), app)) ?? migration;
    // Written after the claim: a crash in between only repeats it.
    migration = await note((course) => ({ ...course, claimed: target.runId }));
  }
  return migration;
}

/** Stops a migration whose source is not to be believed any more; begins its walk anew where the source has another data set. */
export async function watchSource(
  migration: MigrationRow,
  before: Snapshot,
  source: SideFacts,
  shards: readonly ShardTold[] | undefined,
  app: Pick<App, 'ledger' | 'queue' | 'settings' | 'telemetry' | 'watch'>,
): Promise<MigrationRow> {
  const { plan, course } = migration;
  const stop = whyStop(migration, source, before, shards);
  if (stop !== undefined) return (await stopMigration(migration, stop, app)) ?? migration;
  // Another process its workers see by themselves; in the same one, only its replication id tells.
  const mark = markOf(source);
  const ofSource = sinceOfSource(course, mark);
  const isWalked = walksSource(phaseOf(plan, migration));
  const isOther = source.runId === migration.walkedRunId && ofSource.process === 'changed';
  if (migration.cancelRequested) return migration;
  if (!isWalked || !(isOther || mustWalkAnew(course, mark))) {
    // Whoever follows the source sees it, too, and has it walked anew.
    return ofSource.swapped && !isFollowed(plan) ? await noteExchange(migration, app) : migration;
  }
  await restartRanges(migration, source.runId, source, before, app);
  return (await app.ledger.migrations.get(migration.id)) ?? migration;
}

/** Databases were exchanged, and nothing is walked anew for it: the verdict must leave a doubt. */
async function noteExchange(migration: MigrationRow, app: Pick<App, 'ledger'>): Promise<MigrationRow> {
  const updated = await app.ledger.migrations.update(migration.id, (row) =>
    isFinal(row) || row.course.exchanges > MOST_EXCHANGES
      ? undefined
      : { ...row, course: { ...row.course, exchanges: MOST_EXCHANGES + 1 } },
  );
  return updated ?? migration;
}

/**
 * The processes beside the one that a side tells of itself now which open connections of this app lead to. Before a failover these were
 * right: opened anew, they lead to one process, or, where the endpoint is one of several servers, to several again.
 */
function othersThan(side: Mark | undefined, connection: SideSpec, app: Pick<App, 'connections'>): string[] {
  if (side === undefined || typeof connection !== 'string') return [];
  const others = app.connections.processesOf(connection).filter((runId) => runId !== side.runId);
  if (others.length > 0) app.connections.reopen(connection);
  return others;
}

function alsoWritten(other: string): string {
  return `The target failed over to a server that the migration ${other} writes to: nothing more is written to it.`;
}
