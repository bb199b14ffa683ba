import { CHECKSUM_IS_WRONG } from '../payload/file-layout';
import { isAtLeast, type PayloadServer } from '../payload/payload-server';
import { FIRST_OF_VALKEY, LAST_COMMON_VERSION } from '../payload/value-types';
import type { VersionRanges } from '../payload/version-ranges';
import type { LoadedModule } from '../payload/payload-server';
import type { SourceFile } from '../payload/source-file';
import type { ServerFacts, SourceAbilities, TargetAbilities } from '../redis/probe';
import type { FileSpec } from './side-spec';

/** The version of the RDB files that a server writes. */
export function fileVersionOf(server: Pick<PayloadServer, 'software' | 'version'>): number {
  if (server.software === 'valkey') return isAtLeast(server, 9, 0) ? FIRST_OF_VALKEY : LAST_COMMON_VERSION;
  const since: readonly (readonly [major: number, minor: number, version: number])[] = [
    [7, 4, 12],
    [7, 2, 11],
    [7, 0, 10],
    [5, 0, 9],
  ];
  return since.find(([major, minor]) => isAtLeast(server, major, minor))?.[2] ?? 8;
}

/** The oldest server that reads RDB files of a version, as far as values depend on it. */
export function readerOf(version: number): Pick<PayloadServer, 'software' | 'version'> {
  if (version >= FIRST_OF_VALKEY) return { software: 'valkey', version: '9.0.0' };
  const oldest: Readonly<Record<number, string>> = { 9: '5.0.0', 10: '7.0.0', 11: '7.2.0', 12: '7.4.0' };
  return { software: 'redis', version: oldest[version] ?? (version < 9 ? '4.0.0' : '8.6.0') };
}

/** The payload versions whose values may stand in a file of a version. */
export function payloadVersionsIn(version: number): VersionRanges {
  return version >= FIRST_OF_VALKEY
    ? [
        [6, LAST_COMMON_VERSION],
        [FIRST_OF_VALKEY, version],
      ]
    : [[6, version]];
}

/** The version of a file that is written, by what it takes. */
export function versionOfFile({ payloadVersions = [] }: Pick<TargetAbilities, 'payloadVersions'>): number {
  return payloadVersions.at(-1)?.[1] ?? 0;
}

/** Whether function libraries may stand in a file: from 7.0 on. */
export function hasFunctions(abilities: Pick<TargetAbilities, 'payloadVersions'>): boolean {
  return versionOfFile(abilities) >= 10;
}

/** A file as a side of a migration: a server that never changes by itself. */
export function fileFacts(spec: FileSpec, version: number, databases: ServerFacts['databases']): ServerFacts {
  return {
    ...readerOf(version),
    compatibleVersion: readerOf(version).version,
    cluster: false,
    role: 'master',
    runId: `file ${spec.rdb}/${spec.file}`,
    evictionPolicy: 'noeviction',
    evictedKeys: 0,
    databases,
    loading: false,
    changes: 0,
    lastSave: 0,
    expiredKeys: 0,
    commandsProcessed: 0,
    commandCalls: {},
  };
}

/** What stands in the place of a target that there is none of: a server that reads a file of this version. */
export function noTargetFacts(version: number): ServerFacts {
  return { ...fileFacts({ rdb: '', file: '' }, version, []), runId: 'none' };
}

/** What a file that is read can do: it gives payloads, in the order in which they stand there. */
export function sourceFileAbilities({ version, functions }: SourceFile): SourceAbilities {
  return { scripts: false, memoryUsage: false, dump: true, payloadVersion: version, cursorOrder: true, functions };
}

/** A file that is read, as the server that loads it. */
export function sourceFileFacts(spec: FileSpec, file: SourceFile): ServerFacts {
  const facts = fileFacts(
    spec,
    file.version,
    file.databases.map(({ database, keys }) => ({ database, keys })),
  );
  return { ...facts, software: file.software, file };
}

/** Whether the source is a file of which only its head was read: what is in it is yet to be planned. */
export function isUnread({ source }: { readonly source: Pick<ServerFacts, 'file'> }): boolean {
  return source.file?.unread === true;
}

/** What a file takes: every value that a server reads from a file of its version. */
export function fileAbilities(version: number, modules: readonly LoadedModule[] | undefined): TargetAbilities {
  return {
    scripts: false,
    restore: true,
    payloadVersions: payloadVersionsIn(version),
    absoluteExpiry: version >= 9,
    cursorOrder: true,
    ...(modules === undefined ? {} : { modules }),
  };
}

/** The names of so many keys of a file can be held in memory, to be asked for any; where there are more it cannot be told what they lack. */
export const MOST_NAMES = 8_000_000;

/** Whether the names of all keys can be held that may go into one database of the target. */
export function namesFit(
  file: Pick<SourceFile, 'databases'> | undefined,
  choices: readonly { readonly database: number; readonly targetDatabase: number }[],
): boolean {
  const sums = new Map<number, number>();
  for (const { database, targetDatabase } of choices) {
    const { keys = 0 } = file?.databases.find((each) => each.database === database) ?? {};
    sums.set(targetDatabase, (sums.get(targetDatabase) ?? 0) + keys);
  }
  return [...sums.values()].every((keys) => keys <= MOST_NAMES);
}

/** Of so many keys of one database of a file can be held what converters must know of them. */
export const MOST_NOTED = 6_000_000;

/**
 * What damage to a file means for what is read of it. That is told of all keys together: which value is wrong nobody can say where the
 * checksum is, or was not reached.
 */
export function warningsOfDamage(file: Pick<SourceFile, 'damage' | 'bytes'> | undefined): readonly string[] {
  if (file?.damage === undefined) return [];
  const { at, reason } = file.damage;
  if (reason === CHECKSUM_IS_WRONG) {
    return ['The checksum at the end of the file is wrong: any value in it may be another than was written.'];
  }
  return [
    `The file is damaged at byte ${at} of ${file.bytes}: ${reason}. Only what stands before that is read. Its checksum was not reached: values before that, the last one above all, may be others than were written.`,
  ];
}
