import { globMatcher } from '../keyspace/glob';
import type { Converter } from '../convert/converter';
import type { Plan } from './plan';
import type { MigrationRequest } from './request';

/** Which keys are wanted, and whether their types must be known for that. */
export interface Selection {
  /** Nothing is asked for: every key is wanted, and need not be looked at. */
  readonly all: boolean;
  readonly needsTypes: boolean;
  /** @param type the key's type where `needsTypes`, otherwise undefined */
  wants(key: Buffer, type: string | undefined): boolean;
  /** Whether a key of this name would be wanted, if it is of the right type. */
  mayWant(key: Buffer): boolean;
  wantsType(type: string | undefined): boolean;
}

export function makeSelection(select: MigrationRequest['select']): Selection {
  const match = select.match.map(globMatcher);
  const exclude = select.exclude.map(globMatcher);
  const types = new Set<string>(select.types);
  const mayWant = (key: Buffer) =>
    (match.length === 0 || match.some((matches) => matches(key))) && !exclude.some((matches) => matches(key));
  const wantsType = (type: string | undefined) => types.size === 0 || (type !== undefined && types.has(type));
  return {
    all: match.length === 0 && exclude.length === 0 && types.size === 0,
    needsTypes: types.size > 0,
    mayWant,
    wantsType,
    wants: (key, type) => mayWant(key) && wantsType(type),
  };
}

/** Which keys a migration touches. In place there is nothing to copy: only what a converter claims. */
export function selectionOf(
  { request, inPlace }: Pick<Plan, 'request' | 'inPlace'>,
  converters: readonly Converter[],
): Selection {
  const selection = makeSelection(request.select);
  if (!inPlace) return selection;
  const claims = (key: Buffer) => converters.some((converter) => converter.claims(key));
  return {
    ...selection,
    all: false,
    wants: (key, type) => selection.wants(key, type) && claims(key),
    mayWant: (key) => selection.mayWant(key) && claims(key),
  };
}
