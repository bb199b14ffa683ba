import { z } from 'zod';
import { isConnectionName } from '../redis/connection-settings';

const connectionName = z
  .string()
  .refine(isConnectionName, 'must be the name of a connection: a letter, then letters, digits or underscores')
  .describe('Name of a connection: the app setting REDIS_<NAME>. Never a host or a URL.');

const storeName = z
  .string()
  .refine(isConnectionName, 'must be the name of a file store: a letter, then letters, digits or underscores')
  .describe('Name of a file store: the app setting RDB_<NAME>.');

/** Parts of a path that every store takes, and none that leads out of it. */
const FILE = /^(?!.*(?:^|\/)\.)[A-Za-z0-9_.@=+{}-]+(?:\/[A-Za-z0-9_.@=+{}-]+)*$/;

const fileName = z
  .string()
  .max(512)
  .regex(FILE, 'must be a file name of letters, digits and any of _ . @ = + -, with / between folders')
  .describe('The file in it; {date} and {time} become the UTC date and time of the start.');

/** The versions of RDB files that can be written: 8 is read from Redis 4.0 on, 9 from 5.0, 10 from 7.0, 11 from 7.2 and by Valkey, 12 from 7.4, 80 by Valkey 9. */
export const fileVersions = [8, 9, 10, 11, 12, 80] as const;

/** What a side must be, where it is nothing of the kind. */
export const SIDE = 'must be the name of a connection, or a file: {"rdb": "BACKUPS", "file": "name.rdb"}';

export const sourceSchema = z
  .union([connectionName, z.strictObject({ rdb: storeName, file: fileName })], { error: worded })
  .describe('The Redis, or the RDB file, that is read.');

export const targetSchema = z
  .union(
    [
      connectionName,
      z.strictObject({
        rdb: storeName,
        file: fileName,
        version: z
          .literal(fileVersions)
          .optional()
          .describe("Of the file, for a server older than the source; the source's own where it is left out."),
        overwrite: z.boolean().optional().describe('Replace the file, where there is one.'),
        gzip: z.boolean().optional().describe('Have gzip pack the file: servers load it once it is unpacked.'),
      }),
    ],
    { error: worded },
  )
  .nullable()
  .default(null)
  .describe(
    'The Redis, or the RDB file, that is written. Left out (or null) only in mode dry-run of a file: what is in it is told, and nothing is asked of any server.',
  );

/** An RDB file in a file store. */
export interface FileSpec {
  readonly rdb: string;
  readonly file: string;
  readonly version?: (typeof fileVersions)[number] | undefined;
  readonly overwrite?: boolean | undefined;
  readonly gzip?: boolean | undefined;
}

/** One side of a migration: the name of a connection, or a file; null for no target, where only what is in a file is asked. */
export type SideSpec = string | FileSpec | null;

/** Whether a side is a Redis. */
export function isServer(side: SideSpec): side is string {
  return typeof side === 'string';
}

/** The file that a side is; undefined for a Redis, and for none. */
export function fileOf(side: SideSpec): FileSpec | undefined {
  return isServer(side) ? undefined : (side ?? undefined);
}

/** The connection that a side is. @throws Error for a file: whoever calls this has a Redis before it */
export function connectionOf(side: SideSpec): string {
  if (isServer(side)) return side;
  throw new Error('A file is no connection.');
}

/** What a side is called for people: "OLD", or "BACKUPS/before.rdb"; empty for none. */
export function nameOfSide(side: SideSpec): string {
  if (side === null) return '';
  return isServer(side) ? side : `${side.rdb}/${side.file}`;
}

/** @param startedAt ISO 8601 */
export function withTimes(file: string, startedAt: string): string {
  const [date = '', time = ''] = startedAt.split('T');
  return file.replaceAll('{date}', date).replaceAll('{time}', time.slice(0, 8).replaceAll(':', ''));
}

/** A union says only that nothing fits: what is wrong with the form that was meant says more. */
function worded(issue: z.core.$ZodRawIssue): string {
  const errors = 'errors' in issue ? (issue.errors as readonly (readonly z.core.$ZodIssue[])[]) : [];
  const meant = errors[typeof issue.input === 'string' ? 0 : 1] ?? [];
  const isForm = typeof issue.input === 'string' || (typeof issue.input === 'object' && issue.input !== null);
  return isForm && meant.length > 0
    ? meant.map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`)).join('; ')
    : SIDE;
}
