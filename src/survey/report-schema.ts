const integer = { type: 'integer' } as const;
const nullableInteger = { type: ['integer', 'null'] } as const;
const nullableNumber = { type: ['number', 'null'] } as const;
const text = { type: 'string' } as const;
const yes = { type: 'boolean' } as const;

function object(properties: Record<string, unknown>): object {
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false };
}

function list(properties: Record<string, unknown>): object {
  return { type: 'array', items: object(properties) };
}

const amount = { keys: integer, bytes: integer };
const name = { key: text, encoding: { enum: ['utf8', 'base64'] } };
const side = object({ name: text, software: text, version: text });
const amountObject = object(amount);

/** The JSON schema of a dry run's report, for the OpenAPI document. */
export const surveyReportSchema = object({
  id: text,
  state: { enum: ['planned', 'running', 'verifying', 'completed', 'completedWithDifferences', 'failed', 'cancelled'] },
  complete: yes,
  startedAt: text,
  finishedAt: { type: ['string', 'null'] },
  source: side,
  target: side,
  total: amountObject,
  bytesAre: { enum: ['memory', 'payload'] },
  databases: list({ database: integer, targetDatabase: integer, prefix: text, missingOnTarget: yes, ...amount }),
  types: list({ type: text, ...amount }),
  encodings: list({ type: text, objectEncoding: text, ...amount }),
  expiries: list({ from: nullableInteger, to: nullableInteger, ...amount }),
  sizes: list({ from: integer, to: nullableInteger, ...amount }),
  largestKeys: list({ ...name, database: integer, cut: yes, type: text, objectEncoding: text, bytes: integer }),
  prefixes: list({ ...name, database: integer, depth: integer, ...amount, atMost: amountObject }),
  outcome: object({
    copied: amountObject,
    converted: amountObject,
    skippedByFilter: integer,
    skippedByConflict: amountObject,
    overwritten: amountObject,
    existing: amountObject,
    renamed: amountObject,
    byCommands: amountObject,
    expired: integer,
  }),
  notCarriedOver: object({
    unsupportedTypes: amountObject,
    withoutDatabase: amountObject,
    losingFieldExpiries: amountObject,
    functions: integer,
    payloadTooNew: yes,
  }),
  obstacles: list({ code: text, message: text }),
  memory: object({
    needed: nullableInteger,
    used: nullableInteger,
    limit: nullableInteger,
    free: nullableInteger,
    fits: { type: ['boolean', 'null'] },
  }),
  time: {
    oneOf: [
      { type: 'null' },
      object({
        basis: { enum: ['read', 'commands'] },
        seconds: { type: 'number' },
        keysPerSecond: integer,
        bytesPerSecond: nullableNumber,
      }),
    ],
  },
  warnings: { type: 'array', items: text },
});
