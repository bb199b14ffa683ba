import type { App } from '../app/app';
import { inEpoch } from '../ledger/rows';
import { PlanRefusedError } from '../migration/plan';
import { sumRanges } from '../migration/sum';
import { unpackSurvey } from './packing';
import { Survey } from './survey';
import { makeSurveyReport, type SurveyReport } from './survey-report';

/**
 * What a dry run has learnt up to now; undefined when there is no such migration.
 * @throws PlanRefusedError for a migration that is no dry run
 */
export async function readSurveyReport(id: string, app: App): Promise<SurveyReport | undefined> {
  await app.ledger.ensure();
  const migration = await app.ledger.getMigration(id);
  if (migration === undefined) return undefined;
  if (migration.plan.request.mode !== 'dry-run') {
    throw new PlanRefusedError(409, 'noReport', 'Only a dry run has a report; this migration has none.');
  }
  const rows = (await app.ledger.listRanges(id, 'copy')).map((row) => inEpoch(row, migration.epoch));
  const survey = new Survey();
  for await (const packed of app.ledger.listSurveys(id, migration.epoch)) survey.merge(await unpackSurvey(packed));
  const complete = rows.length > 0 && rows.every(({ state }) => state === 'done');
  const { counts } = sumRanges(migration, rows);
  return makeSurveyReport(migration, survey, counts, complete || migration.plan.databases.length === 0);
}
