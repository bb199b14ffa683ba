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
}

export function makeSelection(select: MigrationRequest['select']): Selection {
  const match = select.match.map(globMatcher);
  const exclude = select.exclude.map(globMatcher);
  const types = new Set<string>(select.types);
  return {
    all: match.length === 0 && exclude.length === 0 && types.size === 0,
    needsTypes: types.size > 0,
    wants: (key, type) =>
      (match.length === 0 || match.some((matches) => matches(key))) &&
      !exclude.some((matches) => matches(key)) &&
      (types.size === 0 || (type !== undefined && types.has(type))),
  };
}

/** Which keys a migration touches. In place there is nothing to copy: only what a converter claims. */
export function selectionOf(
  { request, inPlace }: Pick<Plan, 'request' | 'inPlace'>,
  converters: readonly Converter[],
): Selection {
  const selection = makeSelection(request.select);
  if (!inPlace) return selection;
  return {
    ...selection,
    all: false,
    wants: (key, type) => selection.wants(key, type) && converters.some((converter) => converter.claims(key)),
  };
}
