import { bitsFor } from '../keyspace/split';
import type { FileLayout, Stretch } from './file-layout';

/** Bytes of a file, from the first to the one behind the last. */
export type Extent = readonly [start: number, end: number];

/** One database of a file, and how it is read in 2^bits ranges. */
export interface FileDatabase {
  readonly database: number;
  readonly keys: number;
  readonly bits: number;
  /** By the ranges' indexes: where their keys stand, in the order of the file. */
  readonly ranges: readonly (readonly Extent[])[];
  /** Keys of which converters must know something beside those that they convert; none where it is not there. */
  readonly noted?: number;
}

/** A file that is read, as a plan has it. */
export interface SourceFile extends Pick<
  FileLayout,
  'software' | 'version' | 'functions' | 'ofModules' | 'damage' | 'expiring'
> {
  /** Of one that is packed, when it is unpacked. */
  readonly bytes: number;
  /** What it takes in its store where gzip packed it. */
  readonly packedBytes?: number | undefined;
  /** Another text where it was written anew. */
  readonly etag: string;
  readonly databases: readonly FileDatabase[];
  readonly large: readonly Extent[];
  /** Where the records of function libraries stand. Not there in plans of earlier versions. */
  readonly libraries?: readonly Extent[] | undefined;
  /** Nothing of it is known yet but how it begins. */
  readonly unread?: true;
}

/** A file of which only its head was read. @param bytes what it takes in its store */
export function unreadFile(
  head: Pick<FileLayout, 'software' | 'version'>,
  bytes: number,
  etag: string,
  packed: boolean,
): SourceFile {
  const nothing = { functions: 0, ofModules: 0, damage: undefined, expiring: 0, databases: [], large: [] };
  return {
    ...head,
    ...nothing,
    bytes: packed ? 0 : bytes,
    ...(packed ? { packedBytes: bytes } : {}),
    etag,
    unread: true,
  };
}

/** What a file takes in its store. */
export function storedBytes({ bytes, packedBytes = bytes }: Pick<SourceFile, 'bytes' | 'packedBytes'>): number {
  return packedBytes;
}

/** The plan is read with every message: more ranges would make it long. */
const MOST_BITS = 10;

/** How a file is read in parallel. One that is packed is not: each range would unpack all before it. */
export function sourceFileOf(layout: FileLayout, bytes: number, etag: string, packedBytes?: number): SourceFile {
  const { stretches, large, libraries, software, version, functions, ofModules, damage, expiring } = layout;
  const numbers = [...new Set(stretches.map(({ database }) => database))].sort((a, b) => a - b);
  const mostBits = packedBytes === undefined ? MOST_BITS : 0;
  return {
    ...(packedBytes === undefined ? {} : { packedBytes }),
    ...{ software, version, functions, ofModules, damage, expiring, bytes, etag },
    databases: numbers.map((number) =>
      databaseOf(
        stretches.filter(({ database }) => database === number),
        mostBits,
      ),
    ),
    large: large.map(({ start, end }) => [start, end]),
    libraries: libraries.map(({ start, end }) => [start, end]),
  };
}

function databaseOf(stretches: readonly Stretch[], mostBits: number): FileDatabase {
  const keys = stretches.reduce((sum, stretch) => sum + stretch.keys, 0);
  const bytes = stretches.reduce((sum, { start, end }) => sum + end - start, 0);
  const bits = Math.min(mostBits, bitsFor(keys, bytes), Math.floor(Math.log2(stretches.length)));
  const ranges: Extent[][] = Array.from({ length: 2 ** bits }, () => []);
  let before = 0;
  for (const { start, end } of stretches) {
    const range = ranges[Math.min(ranges.length - 1, Math.floor((before / bytes) * ranges.length))];
    before += end - start;
    const last = range?.at(-1);
    if (range !== undefined && last?.[1] === start) range[range.length - 1] = [last[0], end];
    else range?.push([start, end]);
  }
  return { database: stretches[0]?.database ?? 0, keys, bits, ranges };
}
