import { z } from 'zod';
import { standings } from '../tally/range-states';
import { surveyReportSchema } from '../survey/report-schema';
import { PHASE_NAME } from '../migration/rows';
import { migrationRequestSchema } from '../migration/request';

const counts = [
  'scanned',
  'repeats',
  'copied',
  'converted',
  'skippedByFilter',
  'skippedByConflict',
  'expired',
  'failed',
  'same',
  'different',
  'extra',
  'deleted',
  'bytes',
];
const states = ['planned', 'running', 'verifying', 'completed', 'completedWithDifferences', 'failed', 'cancelled'];

const integer = { type: 'integer' } as const;
const nullableInteger = { type: ['integer', 'null'] } as const;
const text = { type: 'string' } as const;
const nullableText = { type: ['string', 'null'] } as const;

function object(properties: Record<string, unknown>): object {
  return { type: 'object', properties, required: Object.keys(properties) };
}

const side = object({ name: text, version: text, keysAtStart: nullableInteger, keysNow: nullableInteger });

const documents = {
  Migration: object({
    id: text,
    state: { enum: states },
    mode: { enum: ['copy', 'dry-run', 'compare', 'sync'] },
    source: side,
    target: side,
    progress: object({
      percent: { type: 'number' },
      keysPerSecond: integer,
      etaSeconds: nullableInteger,
      ranges: object({ total: integer, done: integer, active: integer, failed: integer }),
    }),
    counts: object(Object.fromEntries(counts.map((name) => [name, integer]))),
    tally: object({
      sourceKeys: nullableInteger,
      accountedKeys: integer,
      targetKeys: nullableInteger,
      missing: nullableInteger,
      verdict: nullableText,
    }),
    warnings: { type: 'array', items: text },
    sessions: {
      type: ['object', 'null'],
      properties: {
        sessions: integer,
        byApplication: { type: 'object', additionalProperties: integer },
        locked: integer,
        inVersion5: integer,
        complete: { type: 'boolean' },
      },
    },
    findings: integer,
    startedAt: text,
    finishedAt: nullableText,
    cause: nullableText,
  }),
  Started: object({ id: text, state: { enum: states }, statusUrl: text }),
  MigrationList: object({
    migrations: {
      type: 'array',
      items: object({
        id: text,
        state: { enum: [...states, 'unreadable'] },
        source: text,
        target: text,
        startedAt: text,
        finishedAt: nullableText,
      }),
    },
  }),
  Ranges: object({
    phase: {
      type: 'string',
      pattern: PHASE_NAME.source,
      description: 'The name of the current phase: copy, sync, look and others.',
    },
    pass: { type: 'integer', minimum: 0, description: 'How often a phase of this name was walked before.' },
    side: { enum: ['source', 'target'], description: 'Whose keys the phase walks.' },
    databases: {
      type: 'array',
      items: object({
        database: integer,
        states: {
          type: 'string',
          pattern: `^[${standings.map((name) => name.charAt(0)).join('')}]*$`,
          description: `One letter a range, in the order of the keyspace: the first of ${standings.join(', ')}. Held: something is in its way; silent: its worker has given no sign for a minute.`,
        },
      }),
    },
    troubled: {
      type: 'array',
      maxItems: 100,
      items: object({
        database: integer,
        index: integer,
        state: { enum: standings },
        percent: { type: 'number' },
        heartbeat: nullableText,
        message: nullableText,
      }),
    },
  }),
  History: object({
    points: {
      type: 'array',
      items: { type: 'array', prefixItems: [{ type: 'number' }, integer], minItems: 2, maxItems: 2 },
      description: 'Seconds since the start, and keys accounted for by then; at most 240 points.',
    },
  }),
  Findings: object({
    findings: {
      type: 'array',
      items: object({
        database: integer,
        key: text,
        encoding: { enum: ['utf8', 'base64'] },
        code: text,
        message: text,
      }),
    },
    continuation: nullableText,
  }),
  Schedules: object({
    schedules: {
      type: 'array',
      items: object({
        name: text,
        when: { type: 'object' },
        zone: text,
        source: text,
        target: text,
        mode: text,
        next: {
          type: 'array',
          items: object({
            at: text,
            local: text,
            window: { oneOf: [object({ at: text, local: text }), { type: 'null' }] },
          }),
        },
        last: {
          oneOf: [
            object({
              due: text,
              migration: text,
              state: { enum: ['starting', 'refused', 'unknown', ...states] },
              startedAt: nullableText,
              finishedAt: nullableText,
              message: nullableText,
            }),
            { type: 'null' },
          ],
        },
        waiting: { oneOf: [object({ due: text, for: nullableText }), { type: 'null' }] },
      }),
    },
    mistakes: { type: 'array', items: object({ path: text, message: text }) },
  }),
  Error: object({
    error: object({
      code: text,
      message: text,
      details: { type: 'array', items: object({ path: text, message: text }) },
    }),
  }),
};

const schemas = { ...documents, SurveyReport: surveyReportSchema };

function answer(description: string, schema: keyof typeof schemas): object {
  return { description, content: { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } } };
}

const id = { name: 'id', in: 'path', required: true, schema: text };
const unknownId = answer('There is no such migration.', 'Error');

/** The request's schema, by the id MigrationRequest, and those that it refers to by theirs. */
function requestSchemas(): Record<string, unknown> {
  const { $defs } = z.toJSONSchema(migrationRequestSchema, { io: 'input', target: 'draft-2020-12' });
  const text = JSON.stringify($defs).replaceAll('"#/$defs/', '"#/components/schemas/');
  return JSON.parse(text) as Record<string, unknown>;
}

/** The OpenAPI 3.1 document of the HTTP API. The request's schema is the one that requests are checked by. */
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
          },
        },
        get: {
          operationId: 'listMigrations',
          responses: { 200: answer('The newest migrations first.', 'MigrationList') },
        },
      },
      '/api/migrations/{id}': {
        get: {
          operationId: 'getMigration',
          parameters: [id],
          responses: { 200: answer('The migration as it stands.', 'Migration'), 404: unknownId },
        },
        delete: {
          operationId: 'cancelMigration',
          parameters: [id],
          responses: { 202: answer('It stops within seconds.', 'Migration'), 404: unknownId },
        },
      },
      '/api/migrations/{id}/ranges': {
        get: {
          operationId: 'getRanges',
          parameters: [id],
          responses: { 200: answer('How every range of the current phase stands.', 'Ranges'), 404: unknownId },
        },
      },
      '/api/migrations/{id}/history': {
        get: {
          operationId: 'getHistory',
          parameters: [id],
          responses: { 200: answer('The course so far.', 'History'), 404: unknownId },
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
      schemas: { ...requestSchemas(), ...schemas },
    },
  };
}
