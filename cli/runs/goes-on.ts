import type { MigrationReport } from '../../src/migration/report';
import { isEnded } from '../outcome';
import { migrationsOf, type RunRecord, type SeenMigration } from './run-folder';

/**
 * The migration of a folder that goes on as soon as an app works on it: one that had not ended when it was last seen, or that is still
 * to begin and lead back (its id is null). Undefined where all have come to their end.
 */
export function goesOn(record: RunRecord): SeenMigration | undefined {
  const seen = migrationsOf(record);
  const open = seen.find(({ report }) => !hasEnded(report));
  if (open !== undefined) return open;
  const last = seen.at(-1);
  if (last === undefined || !isToLeadBack(last.report)) return undefined;
  return { id: null, report: null, source: last.target, target: last.source };
}

/** Whether a way back from a migration was asked for, and is not begun. */
function isToLeadBack(report: MigrationReport | null): boolean {
  const state = report?.live?.cutover?.wayBack?.state;
  return state === 'waiting' || state === 'starting';
}

function hasEnded(report: MigrationReport | null): boolean {
  return report !== null && isEnded(report.state);
}

/** The sides that the migrations of a folder write to, or are about to. */
export function writtenSides(record: RunRecord): readonly SeenMigration['target'][] {
  return migrationsOf(record).flatMap(({ report, source, target }) => [
    ...(hasEnded(report) ? [] : [target]),
    ...(isToLeadBack(report) ? [source] : []),
  ]);
}
