import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { conversionSchema } from '../convert/registry';
import { parseMigrationRequest, type MigrationRequest } from '../migration/request';

/** Tells a repeated request from another one: what is left out is the same as what is said to be as it is by itself, also in later versions. */
export function requestHash(request: MigrationRequest): string {
  return hash(withoutDefaults({ ...request, convert: request.convert.map(ownOptions) }, DEFAULTS));
}

/** Whether a request is the one of a hash, also of one that a version made that hashed all fields. */
export function isHashOf(known: string, request: MigrationRequest): boolean {
  return known === requestHash(request) || known === hash(request);
}

function hash(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

const { source: _source, target: _target, ...fields } = parseMigrationRequest({ source: 'A', target: 'B' });
const DEFAULTS = { ...fields, live: parseMigrationRequest({ source: 'A', target: 'B', mode: 'live', live: {} }).live };

function ownOptions(options: MigrationRequest['convert'][number]): unknown {
  const { converter, ...given } = options;
  const plain = conversionSchema.safeParse({ converter });
  return { converter, ...(withoutDefaults(given, plain.success ? plain.data : {}) as object) };
}

/** Objects with their fields in the order of their names; undefined where nothing is left of one that has defaults. */
function withoutDefaults(value: unknown, defaults: unknown): unknown {
  if (defaults !== undefined && isDeepStrictEqual(value, defaults)) return undefined;
  if (!isObject(value)) return value;
  const known = isObject(defaults) ? defaults : {};
  const left = Object.keys(value)
    .sort()
    .flatMap((name) => {
      const own = withoutDefaults(value[name], known[name]);
      return own === undefined ? [] : [[name, own] as const];
    });
  return Object.fromEntries(left);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
