import { leadBack } from '../convert/rename/leading-back';
import { keysInAll, type DatabaseKeys } from '../redis/database-keys';
import type { ServerFacts } from '../redis/probe';
import type { MigrationRequest } from './request';

/** A database of the source, and where its keys go. */
export interface DatabaseChoice {
  readonly database: number;
  readonly targetDatabase: number;
  readonly prefix: string;
}

/**
 * A request that names no databases, with those that its connections end in: people's URLs have one, and mean it.
 * @param source the source's, and the target's: undefined where a connection ends in none
 */
export function withConnectionDatabases(
  request: MigrationRequest,
  source: number | undefined,
  target: number | undefined,
): MigrationRequest {
  // Many URLs end in /0 by habit.
  if (request.databases !== 'all' || ((source ?? 0) === 0 && (target ?? 0) === 0)) return request;
  const from = source ?? 0;
  return { ...request, databases: { [from]: target ?? from } };
}

/** The databases that a request asks for, out of those that may hold keys on either side. */
export function chooseDatabases(
  request: MigrationRequest,
  source: readonly DatabaseKeys[],
  target: readonly DatabaseKeys[],
): DatabaseChoice[] {
  const { databases } = request;
  if (databases === 'all') return allOf(request, source, target).map(same);
  if (Array.isArray(databases)) return [...new Set(databases)].sort((a, b) => a - b).map(same);
  return Object.entries(databases)
    .map(([from, to]) =>
      typeof to === 'number'
        ? { database: Number(from), targetDatabase: to, prefix: '' }
        : { database: Number(from), targetDatabase: 0, prefix: to },
    )
    .sort((a, b) => a.database - b.database);
}

/** Those of the source, and where extra keys are looked for those of the target too. */
function allOf(
  { mode, deleteExtra }: MigrationRequest,
  source: readonly DatabaseKeys[],
  target: readonly DatabaseKeys[],
): number[] {
  const others = mode === 'compare' || deleteExtra ? target : [];
  // One that is empty yet may be written to while it is followed.
  const first = mode === 'live' ? [{ database: 0 }] : [];
  return [...new Set([...first, ...source, ...others].map(({ database }) => database))];
}

function same(database: number): DatabaseChoice {
  return { database, targetDatabase: database, prefix: '' };
}

/** Whether the target is walked for extra keys. They cannot be told where names were changed by rules that cannot be led back. */
export function looksForExtra({ mode, deleteExtra, rename }: MigrationRequest): boolean {
  return (mode === 'compare' || mode === 'live' || (mode === 'sync' && deleteExtra)) && leadBack(rename);
}

/** Keys in the target's databases that are written to, as it told; undefined where it did not. */
export function targetKeysIn({
  target,
  choices,
}: {
  readonly target: ServerFacts;
  readonly choices: readonly DatabaseChoice[];
}): number | undefined {
  return keysInAll(target, new Set(choices.map(({ targetDatabase }) => targetDatabase)));
}
