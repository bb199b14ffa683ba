import type { App } from '../app/app';
import { undefinedIfUnreadable } from '../ledger/row-schemas';
import { PlanRefusedError } from '../migration/plan-refusals';
import { phaseOf } from '../migration/phases';
import { rowsOfPlan } from '../migration/rows-of-plan';
import { sumHeld } from '../tally/sum';
import { unpackSurvey } from '../survey/packing';
import { Survey } from '../survey/survey';
import type { SurveyReport } from '../survey/report-schema';
import { makeSurveyReport } from '../survey/survey-report';

/**
 * What a dry run has learnt up to now; undefined when there is no such migration.
 * @throws PlanRefusedError for a migration that is no dry run
 */
export async function readSurveyReport(id: string, app: Pick<App, 'ledger'>): Promise<SurveyReport | undefined> {
  await app.ledger.ensure();
  const migration = await app.ledger.migrations.get(id);
  if (migration === undefined) return undefined;
  if (migration.plan.request.mode !== 'dry-run') {
    throw new PlanRefusedError('noReport', 'Only a dry run has a report; this migration has none.');
  }
  const { plan, phase, epoch } = migration;
  // Nothing is learnt before a file is read.
  const isSurveyed = phaseOf(plan, migration).work === 'survey';
  const rows = isSurveyed ? rowsOfPlan(migration, await app.ledger.ranges.list(id, phase), 'current') : [];
  const survey = new Survey();
  let read = 0;
  for await (const packed of isSurveyed ? app.ledger.surveys.list(id, phase, epoch) : []) {
    const one = await unpackSurvey(packed).catch(undefinedIfUnreadable);
    if (one === undefined) continue;
    survey.merge(one);
    read++;
  }
  const complete = rows.length > 0 && rows.every(({ state }) => state === 'done');
  // What a range has learnt is lost where there is less of it than of ranges that met keys.
  const whole = read >= rows.filter(({ counts }) => counts.scanned > 0).length;
  const { counts } = sumHeld(migration, rows);
  return makeSurveyReport(
    migration,
    survey,
    counts,
    (complete && whole) || (isSurveyed && plan.databases.length === 0),
  );
}
