import { z } from 'zod';
import { amount, type DocumentOf } from '../migration/document';
import type { Plan } from '../migration/plan';
import type { Amount } from './amount';
import { NEVER } from './buckets';
import type { Survey } from './survey';

export const memorySchema = z
  .strictObject({
    needed: amount
      .nullable()
      .describe('What the keys would take there, about: what they take on the source, with the tables that hold them.'),
    used: amount.nullable(),
    limit: amount.nullable().describe('The limit, maxmemory.'),
    free: amount.nullable(),
    fits: z
      .boolean()
      .nullable()
      .describe(
        'Whether they fit, with a tenth to spare; keys that would be overwritten give their memory back, which is not counted.',
      ),
  })
  .describe('Memory on the target, bytes. Null where it is not known.');

export type MemoryReport = DocumentOf<typeof memorySchema>;

/** What a hash table takes for each key beside the entry that MEMORY USAGE counts: up to two places. */
const TABLE_BYTES = 16;
/** The same for the table of expiries, with its entry. */
const EXPIRY_BYTES = 40;
const SPARE = 1.1;

/** Memory needed against memory there. Without MEMORY USAGE the source's whole memory is taken for what is needed. */
export function memoryNeeded(plan: Plan, survey: Survey, total: Amount): MemoryReport {
  const { source, target } = plan;
  const expiring = total.keys - survey.expiries.get(NEVER).keys;
  const { skipped, lost } = { skipped: survey.fates.get('skipped'), lost: survey.fates.get('unsupportedType') };
  const keys = total.keys - skipped.keys - lost.keys;
  const bytes = total.bytes - skipped.bytes - lost.bytes;
  const needed = source.abilities.memoryUsage ? bytes + keys * TABLE_BYTES + expiring * EXPIRY_BYTES : null;
  const used = target.usedMemory ?? null;
  const limit = target.maxMemory !== undefined && target.maxMemory > 0 ? target.maxMemory : null;
  const free = limit === null || used === null ? null : Math.max(0, limit - used);
  const fits = needed === null || free === null ? null : needed * SPARE <= free;
  return { needed, used, limit, free, fits };
}
