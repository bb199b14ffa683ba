import type { App } from '../app/app';
import { undefinedIfUnreadable } from '../ledger/row-schemas';
import { PlanRefusedError } from '../migration/plan-refusals';
import { rowsOfPlan } from '../migration/rows-of-plan';
import { sumRanges } from '../tally/sum';
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
  const rows = rowsOfPlan(migration, await app.ledger.ranges.list(id, migration.phase));
  const survey = new Survey();
  let read = 0;
  for await (const packed of app.ledger.surveys.list(id, migration.epoch)) {
    const one = await unpackSurvey(packed).catch(undefinedIfUnreadable);
    if (one === undefined) continue;
    survey.merge(one);
    read++;
  }
  const complete = rows.length > 0 && rows.every(({ state }) => state === 'done');
  // What a range has learnt is lost where there is less of it than of ranges that met keys.
  const whole = read >= rows.filter(({ counts }) => counts.scanned > 0).length;
  const { counts } = sumRanges(migration, rows);
  return makeSurveyReport(migration, survey, counts, (complete && whole) || migration.plan.databases.length === 0);
}
