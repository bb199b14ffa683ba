import { z } from 'zod';
import { amount, type DocumentOf } from '../migration/document';
import { keyTextSchema } from '../migration/key-text';
import { findingCatalogue } from '../migration/finding-catalogue';
import { errorCodes, type ErrorCode } from './error-codes';
import { mistakeSchema } from '../migration/request';
import { migrationStates } from '../migration/rows';

/** The answer to POST /api/migrations. */
export const startedSchema = z
  .object({ id: z.string(), state: z.enum(migrationStates), statusUrl: z.string() })
  .meta({ id: 'Started' });

export type Started = DocumentOf<typeof startedSchema>;

const findingCode = z
  .string()
  .meta({ enum: Object.keys(findingCatalogue) })
  .describe(
    Object.entries(findingCatalogue)
      .map(([code, { means, onTarget, todo }]) => {
        return `\`${code}\`: the key ${means} (${onTarget ? 'it is' : 'it is not'} on the target). Do: ${todo}.`;
      })
      .join('\n'),
  );

const findingSchema = z.object({ database: amount, ...keyTextSchema.shape, code: findingCode, message: z.string() });

/** One finding as it is told. */
export type FindingReport = DocumentOf<typeof findingSchema>;

/** The document of GET /api/migrations/{id}/findings. */
export const findingsSchema = z
  .object({
    findings: z.array(findingSchema),
    continuation: z.string().nullable().describe('Asks for the next page; null after the last.'),
  })
  .meta({ id: 'Findings', description: 'A page of findings. It may hold few or none although others follow.' });

export type FindingsPage = DocumentOf<typeof findingsSchema>;

/** What every answer is that is no success. */
export const errorSchema = z
  .object({
    error: z.object({
      code: z.enum(Object.keys(errorCodes) as [ErrorCode, ...ErrorCode[]]).describe(
        Object.entries(errorCodes)
          .map(([code, { status, means }]) => `\`${code}\` (${status}): ${means}`)
          .join('\n'),
      ),
      message: z.string(),
      details: z
        .array(mistakeSchema)
        .describe('Every mistake in a request, by its field; of a refusal, what else speaks against it.'),
    }),
  })
  .meta({ id: 'Error' });

export type ErrorDocument = DocumentOf<typeof errorSchema>;
