import { z } from 'zod';
import { amount, isoTime, type DocumentOf } from '../migration/document';
import { keyTextSchema } from '../migration/key-text';
import { obstacleSchema } from '../migration/plan';
import { migrationStates } from '../migration/rows';
import { amountSchema } from './amount';
import { timeSchema } from './estimate';
import { memorySchema } from './memory';

const sideSchema = z.strictObject({ name: z.string(), software: z.string(), version: z.string() });
const keyName = keyTextSchema.shape;

/** Amounts with what they are of. */
function amountsOf<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.array(z.strictObject({ ...shape, ...amountSchema.shape }));
}

/** The document of GET /api/migrations/{id}/report, of a dry run. */
export const surveyReportSchema = z
  .strictObject({
    id: z.string(),
    state: z.enum(migrationStates),
    complete: z
      .boolean()
      .describe('All ranges were read; otherwise the numbers are of those keys that were read until now.'),
    startedAt: isoTime,
    finishedAt: isoTime.nullable(),
    source: sideSchema,
    target: sideSchema
      .nullable()
      .describe(
        'Null where there was none: only what is in the file was asked. What depends on a target is null then.',
      ),
    total: amountSchema,
    bytesAre: z
      .enum(['memory', 'payload'])
      .describe(
        'What "bytes" are: MEMORY USAGE of the source (an estimate by the server itself), or the length of DUMP payloads.',
      ),
    databases: amountsOf({
      database: amount,
      targetDatabase: amount,
      prefix: z.string(),
      missingOnTarget: z.boolean(),
    }),
    types: amountsOf({ type: z.string() }),
    encodings: amountsOf({ type: z.string(), objectEncoding: z.string() }),
    expiries: amountsOf({ from: amount.nullable(), to: amount.nullable() }).describe(
      'Seconds left; "from" null for keys that never expire, "to" null for no end.',
    ),
    sizes: amountsOf({ from: amount, to: amount.nullable() }),
    largestKeys: z.array(
      z.strictObject({
        ...keyName,
        database: amount,
        cut: z.boolean().describe('Only the first bytes of the name are told.'),
        type: z.string(),
        objectEncoding: z.string(),
        bytes: amount,
      }),
    ),
    prefixes: amountsOf({ ...keyName, database: amount, depth: amount, atMost: amountSchema }).describe(
      'In the order of the tree. "atMost" is more than the amount where there were too many prefixes to count exactly.',
    ),
    outcome: z
      .strictObject({
        copied: amountSchema,
        converted: amountSchema,
        skippedByFilter: amount,
        skippedByConflict: amountSchema.nullable(),
        overwritten: amountSchema.nullable(),
        existing: amountSchema
          .nullable()
          .describe('Keys whose names the target has already, whatever would come of it.'),
        renamed: amountSchema,
        byCommands: amountSchema
          .nullable()
          .describe(
            'Of those copied: by ordinary commands in chunks, since they are big or their payloads are not understood.',
          ),
        expired: amount,
      })
      .describe('What a copy would do; without a target "copied" are those that can be read.'),
    notCarriedOver: z.strictObject({
      unsupportedTypes: amountSchema.describe('Also values that no server writes.'),
      withoutDatabase: amountSchema,
      losingFieldExpiries: amountSchema,
      functions: amount.describe('Function libraries, which are no keys.'),
      payloadTooNew: z
        .boolean()
        .describe("The target does not read the source's payloads: every key goes by ordinary commands."),
    }),
    obstacles: z.array(obstacleSchema).describe('What a copy would be refused for.'),
    memory: memorySchema.nullable(),
    time: timeSchema.nullable().describe('Null where nothing was read, or there is no target.'),
    warnings: z.array(z.string()),
  })
  .meta({ id: 'SurveyReport', description: 'What a dry run has learnt. Sizes in bytes.' });

export type SurveyReport = DocumentOf<typeof surveyReportSchema>;
