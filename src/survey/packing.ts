import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { packJson } from '../basics/packed-json';
import { z } from 'zod';
import { mustParse, ROW_VERSION, UnreadableRowError, version } from '../ledger/row-schemas';
import type { FindingKeys } from '../migration/redact-finding';
import type { KeptNode } from './prefix-tree';
import { Survey, type KeptSurvey } from './survey';

/** A survey as bytes for the ledger, compressed: JSON of numbers and names. */
export function packSurvey(survey: Survey): Buffer {
  return packJson({ ...survey.toKept(), version: ROW_VERSION });
}

const amount = z.number().min(0);
const amounts = z.array(z.tuple([z.string(), amount, amount]));
const schema = z.looseObject({
  version,
  databases: amounts,
  types: amounts,
  encodings: amounts,
  expiries: amounts,
  sizes: amounts,
  fates: amounts,
  largest: z.array(
    z.looseObject({
      database: amount,
      name: z.string(),
      nameBytes: amount,
      type: z.string(),
      encoding: z.string(),
      bytes: amount,
    }),
  ),
  // Thousands of nodes in each: by hand, since a schema that calls itself takes many times as long.
  prefixes: z.array(z.tuple([amount, z.custom<KeptNode>((value) => isNode(value, 0), 'must be a tree of prefixes')])),
  pace: z.object({ firstAt: amount, lastAt: amount, readMs: amount, workMs: amount, payloadBytes: amount }).nullable(),
});

/** A tree is not nearly as deep. */
const DEEPEST = 1_000;

function isNode(value: unknown, depth: number): value is KeptNode {
  if (!Array.isArray(value) || value.length !== 8 || depth > DEEPEST) return false;
  const [segment, ...rest] = value as unknown[];
  const children = rest.pop();
  return (
    typeof segment === 'string' &&
    rest.every((part) => typeof part === 'number' && part >= 0) &&
    Array.isArray(children) &&
    children.every((child) => isNode(child, depth + 1))
  );
}

const unzip = promisify(gunzip);
/** A packed survey is less than 1 MiB. */
const MOST_BYTES = 256 * 1_048_576;

/**
 * @param names how names are told of what is added to it from now on
 * @throws UnreadableRowError
 */
export async function unpackSurvey(packed: Buffer, names?: FindingKeys): Promise<Survey> {
  return Survey.from(mustParse(ROW, schema, await unpacked(packed)) satisfies KeptSurvey, names);
}

const ROW = 'What a dry run has learnt of a range';

async function unpacked(packed: Buffer): Promise<unknown> {
  try {
    return JSON.parse((await unzip(packed, { maxOutputLength: MOST_BYTES })).toString('utf8'));
  } catch {
    throw new UnreadableRowError(ROW, 'it is not compressed JSON');
  }
}
