import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../../../../local/servers/repository-root';

const folder = join(repositoryRoot(), 'test', 'fixtures');

/** A value as version 4 stores it, and the version 5 blob of a collection that holds only it, under the vector's name. */
export interface Vector {
  readonly name: string;
  readonly clrType: string | null;
  /** What version 4's serializer wrote. */
  readonly nrbf: Buffer;
  /** The same from .NET 10, where it differs. */
  readonly nrbfNet10: Buffer | undefined;
  readonly typeCode: number;
  /** Type byte and payload in version 5's own coding. */
  readonly item: Buffer;
  readonly blob: Buffer;
  readonly blobType20: Buffer;
}

interface RawVectors {
  readonly vectors: readonly {
    readonly name: string;
    readonly clrType: string | null;
    readonly nrbf: string;
    readonly nrbfNet10?: string;
    readonly typeCode: number;
    readonly item: string;
    readonly ssic: string;
    readonly ssicType20: string;
  }[];
  readonly collections: {
    readonly empty: string;
    readonly two_a1_bcxy: string;
    readonly nullItem_n: string;
    readonly nullKeyFirst_5_b6: string;
    readonly nullKeySecond_b6_5: string;
    readonly uninitialized_SessionStateActions: string;
    readonly all: { readonly hex: string };
  };
  readonly redisExample: {
    readonly app: string;
    readonly id: string;
    readonly before: Readonly<Record<string, { readonly fieldsHex?: Readonly<Record<string, string>> }>>;
    readonly after: Readonly<Record<string, unknown>>;
  };
}

const raw = JSON.parse(readFileSync(join(folder, 'session-vectors.json'), 'utf8')) as RawVectors;
const hex = (text: string): Buffer => Buffer.from(text, 'hex');

export const vectors: readonly Vector[] = raw.vectors.map((vector) => ({
  name: vector.name,
  clrType: vector.clrType,
  nrbf: hex(vector.nrbf),
  nrbfNet10: vector.nrbfNet10 === undefined ? undefined : hex(vector.nrbfNet10),
  typeCode: vector.typeCode,
  item: hex(vector.item),
  blob: hex(vector.ssic),
  blobType20: hex(vector.ssicType20),
}));

export const collections = raw.collections;
export const redisExample = raw.redisExample;

/** The vector of that name. */
export function vector(name: string): Vector {
  const found = vectors.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`no vector ${name}`);
  return found;
}

/** A session of the Redis 4 snapshot, as version 5 must read it. */
export interface ExpectedSession {
  readonly timeout: number;
  readonly items: Readonly<Record<string, { readonly shown: string; readonly item: string }>>;
}

/** By `{app_id}`. */
export const expectedSessions = (
  JSON.parse(readFileSync(join(folder, 'aspnet-sessions.json'), 'utf8')) as {
    sessions: Readonly<Record<string, ExpectedSession>>;
  }
).sessions;

export const snapshotFile = join(folder, 'redis-4.0.14.rdb');
