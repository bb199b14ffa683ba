import { promisify } from 'node:util';
import { gunzip, gzipSync } from 'node:zlib';
import type { FindingKeys } from '../migration/redact-finding';
import { Survey, type KeptSurvey } from './survey';

/** A survey as bytes for the ledger, compressed: JSON of numbers and names. */
export function packSurvey(survey: Survey): Buffer {
  return gzipSync(JSON.stringify(survey.toKept()), { level: 3 });
}

const unzip = promisify(gunzip);

/** @param names how names are told of what is added to it from now on */
export async function unpackSurvey(packed: Buffer, names?: FindingKeys): Promise<Survey> {
  return Survey.from(JSON.parse((await unzip(packed)).toString('utf8')) as KeptSurvey, names);
}
