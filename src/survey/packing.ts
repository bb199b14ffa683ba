import { promisify } from 'node:util';
import { gunzip, gzipSync } from 'node:zlib';
import { Survey, type KeptSurvey } from './survey';

/** A survey as bytes for the ledger, compressed: JSON of numbers and names. */
export function packSurvey(survey: Survey): Buffer {
  return gzipSync(JSON.stringify(survey.toKept()), { level: 3 });
}

const unzip = promisify(gunzip);

export async function unpackSurvey(packed: Buffer): Promise<Survey> {
  return Survey.from(JSON.parse((await unzip(packed)).toString('utf8')) as KeptSurvey);
}
