import { z } from 'zod';
import { historySchema } from '../migration/history';
import { migrationListSchema, migrationReportSchema } from '../migration/report';
import { migrationRequestSchema } from '../migration/request';
import { schedulesSchema } from '../schedule/report-schedules';
import { surveyReportSchema } from '../survey/report-schema';
import { rangesSchema } from '../tally/range-states';
import { cutOverSchema } from './cut-over-migration';
import { errorCodes } from './error-codes';
import { errorSchema, findingsSchema, startedSchema } from './documents';

/** Every document of the API, by the name that its schema gives itself. */
const documents = {
  MigrationRequest: migrationRequestSchema,
  CutOver: cutOverSchema,
  Migration: migrationReportSchema,
  Started: startedSchema,
  MigrationList: migrationListSchema,
  Ranges: rangesSchema,
  History: historySchema,
  Findings: findingsSchema,
  Schedules: schedulesSchema,
  Error: errorSchema,
  SurveyReport: surveyReportSchema,
};

const text = { type: 'string' } as const;

function answer(description: string, schema: keyof typeof documents): object {
  return { description, content: { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } } };
}

const id = { name: 'id', in: 'path', required: true, schema: text };
const unknownId = answer('There is no such migration.', 'Error');
const noStorage = answer(errorCodes.storageUnavailable.means, 'Error');

/** The schemas of all documents, and those that they refer to, each by its id. */
function componentSchemas(): Record<string, unknown> {
  const { $defs } = z.toJSONSchema(z.strictObject(documents), { io: 'input', target: 'draft-2020-12' });
  const text = JSON.stringify($defs).replaceAll('"#/$defs/', '"#/components/schemas/');
  return JSON.parse(text, (_, value: unknown) => shortened(value)) as Record<string, unknown>;
}

/** Leaves out that integers are safe ones, and says in one type that a value may be null. */
function shortened(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const schema = value as z.core.JSONSchema.BaseSchema;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  const [one, other, ...more] = schema.anyOf ?? [];
  if (one?.type === undefined || one.enum !== undefined || other?.type !== 'null' || more.length > 0) return schema;
  const { anyOf: _, ...rest } = schema;
  return { ...one, ...rest, type: [one.type, 'null'] };
}

/** The OpenAPI 3.1 document of the HTTP API. Its schemas are those that requests are checked by and that the types of answers come from. */
export function openApiDocument(): object {
  return {
    openapi: '3.1.0',
    info: { title: 'Keyferry', version: '0.1.0', description: 'Copies a whole Redis into another Redis.' },
    security: [{ functionKey: [] }],
    paths: {
      '/api/migrations': {
        post: {
          operationId: 'startMigration',
          requestBody: {
            required: true,
            content: { 'application/json': { schema: { $ref: '#/components/schemas/MigrationRequest' } } },
          },
          responses: {
            202: answer('Started, or already there for this requestId.', 'Started'),
            400: answer('The request is not valid; every mistake is told.', 'Error'),
            409: answer('Another migration writes to this target, or the target does not fit the request.', 'Error'),
            413: answer('The body is larger than 64 KiB.', 'Error'),
            429: answer('Too many starts at once or in a row; Retry-After says when to try again.', 'Error'),
            502: answer('A Redis cannot be reached or does not let in.', 'Error'),
            503: noStorage,
          },
        },
        get: {
          operationId: 'listMigrations',
          responses: { 200: answer('The newest migrations first.', 'MigrationList'), 503: noStorage },
        },
      },
      '/api/migrations/{id}': {
        get: {
          operationId: 'getMigration',
          parameters: [id],
          responses: { 200: answer('The migration as it stands.', 'Migration'), 404: unknownId, 503: noStorage },
        },
        delete: {
          operationId: 'cancelMigration',
          parameters: [id],
          responses: { 202: answer('It stops within seconds.', 'Migration'), 404: unknownId, 503: noStorage },
        },
      },
      '/api/migrations/{id}/cutover': {
        post: {
          operationId: 'cutoverMigration',
          parameters: [id],
          requestBody: {
            required: false,
            content: { 'application/json': { schema: { $ref: '#/components/schemas/CutOver' } } },
          },
          responses: {
            202: answer(
              'It ends once the source stands still and all of it is proved to be on the target.',
              'Migration',
            ),
            404: unknownId,
            400: answer('The request is not valid; every mistake is told.', 'Error'),
            409: answer('It is not ready, or there is no way back; the message says why.', 'Error'),
            502: answer('A Redis cannot be reached or does not let in.', 'Error'),
            503: noStorage,
          },
        },
      },
      '/api/migrations/{id}/ranges': {
        get: {
          operationId: 'getRanges',
          parameters: [id],
          responses: {
            200: answer('How every range of the current phase stands.', 'Ranges'),
            404: unknownId,
            503: noStorage,
          },
        },
      },
      '/api/migrations/{id}/history': {
        get: {
          operationId: 'getHistory',
          parameters: [id],
          responses: { 200: answer('The course so far.', 'History'), 404: unknownId, 503: noStorage },
        },
      },
      '/api/migrations/{id}/findings': {
        get: {
          operationId: 'getFindings',
          parameters: [
            id,
            { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 1_000, default: 100 } },
            { name: 'continuation', in: 'query', schema: text },
            {
              name: 'search',
              in: 'query',
              description:
                'Only findings with this text in key, code or message. A page may then be short, or empty, although others follow.',
              schema: { type: 'string', maxLength: 200 },
            },
          ],
          responses: {
            200: answer('One page of findings.', 'Findings'),
            400: answer('The limit or the continuation is none.', 'Error'),
            404: unknownId,
            503: noStorage,
          },
        },
      },
      '/api/migrations/{id}/report': {
        get: {
          operationId: 'getReport',
          parameters: [id],
          responses: {
            200: answer('What a dry run has learnt up to now.', 'SurveyReport'),
            404: unknownId,
            503: noStorage,
            409: answer('The migration is no dry run.', 'Error'),
          },
        },
      },
      '/api/schedules': {
        get: {
          operationId: 'getSchedules',
          responses: { 200: answer('What is started by the clock, and when; how the last runs went.', 'Schedules') },
        },
      },
    },
    components: {
      securitySchemes: { functionKey: { type: 'apiKey', in: 'header', name: 'x-functions-key' } },
      schemas: componentSchemas(),
    },
  };
}
