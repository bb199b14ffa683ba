import type { Plan } from './plan';
import { parseMigrationRequest, type MigrationRequest } from './request';

/** A migration that was asked for with a cut-over: once that is proved, the old side follows the new one. */
export interface WayBack {
  /** Null until it is started. */
  readonly migration: string | null;
  /** Why it was not started; null where nothing was wrong. */
  readonly refused: string | null;
}

/**
 * The request for the way back of a live migration: the sides exchanged, from the databases that were written to into those that they came
 * from. Both have the same keys when it begins. Or why there is none.
 */
export function wayBackOf(
  id: string,
  { request, databases }: Pick<Plan, 'request' | 'databases'>,
): { readonly request: MigrationRequest } | { readonly refused: string } {
  const { source, target, rename, convert, select, limits, live } = request;
  if (rename.length > 0 || convert.length > 0)
    return { refused: 'Keys were renamed or converted, which does not lead back.' };
  if (databases.some(({ prefix }) => prefix !== ''))
    return { refused: 'Databases were put under prefixes, which does not lead back.' };
  return {
    request: parseMigrationRequest({
      source: target,
      target: source,
      mode: 'live',
      databases: Object.fromEntries(databases.map(({ database, targetDatabase }) => [targetDatabase, database])),
      select,
      limits,
      ...(live === undefined ? {} : { live: { ...live, feed: 'auto' } }),
      deleteExtra: true,
      requestId: `way-back-of-${id}`,
    }),
  };
}
