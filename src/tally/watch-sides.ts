import type { App } from '../app/app';
import type { SideFacts } from '../app/side-facts';
import { see, seeReset, sinceOfSource, type Course } from '../migration/course';
import { phaseOf } from '../migration/phases';
import type { Snapshot } from '../migration/report';
import { isFinal, type MigrationRow } from '../migration/rows';
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
  app: Pick<App, 'ledger' | 'settings' | 'telemetry' | 'watch'>,
): Promise<MigrationRow> {
  const { id, plan } = known;
  const seen = (course: Course): Course => {
    let now = course;
    if (source !== undefined) {
      now = see(now, 'source', source);
      if (since(before.marks?.source ?? markOf(plan.source), source).reset) now = seeReset(now, 'source');
    }
    if (target !== undefined && !plan.inPlace) {
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
  }
  if (target !== undefined && !plan.inPlace && target.runId !== migration.course.claimed) {
    const other = await claimAlso(known, target.runId, app);
    if (other !== undefined) return (await stopMigration(id, alsoWritten(other), app)) ?? migration;
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
  app: Pick<App, 'ledger' | 'queue' | 'settings' | 'telemetry' | 'watch'>,
): Promise<MigrationRow> {
  const { id, plan, course } = migration;
  const stop = whyStop(migration, source, before);
  if (stop !== undefined) return (await stopMigration(id, stop, app)) ?? migration;
  // Another process its workers see by themselves; in the same one, only its replication id tells.
  const isExchanged =
    phaseOf(plan, migration).side === 'source' &&
    source.runId === migration.walkedRunId &&
    sinceOfSource(course, markOf(source)).process === 'changed';
  if (!isExchanged || migration.cancelRequested) return migration;
  await restartRanges(migration, source, before, app);
  return (await app.ledger.migrations.get(id)) ?? migration;
}

function alsoWritten(other: string): string {
  return `The target failed over to a server that the migration ${other} writes to: nothing more is written to it.`;
}
