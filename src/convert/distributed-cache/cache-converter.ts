import { expiryByClock } from '../../redis/expiry';
import type { RedisPort } from '../../redis/redis-port';
import type { Surroundings } from '../converter-kind';
import type { ConvertSource } from '../file-keys';
import type { Compared, CompareContext, ConvertContext, Converter, Gathered, Group, GroupOutcome } from '../converter';
import { compareValues } from './compare-values';
import { CacheStore, type CacheReader, type StoredValue, type ValueToWrite, type WriteState } from './cache-store';
import { absoluteExpiration, NONE, readEntry } from './entry';
import { FileCache } from './file-cache';
import { cacheFindings } from './finding-codes';
import type { CacheOptions } from './options';

/** A key to be converted, with the length of its value. */
interface CacheGroup {
  readonly key: Buffer;
  readonly size: number;
}

/** Keys that one script touches, where the server lets it touch any. */
const AT_ONCE = 128;
/** Values that are read and written together, unless one alone is larger. */
const BATCH_BYTES = 2 * 1_048_576;
const MOST_BYTES = 64 * 1_048_576;
/** A key that changes between reading and writing in place is converted again so often. */
const CHANGE_ROUNDS = 10;

const EXPIRED: GroupOutcome = { kind: 'expired' };

/**
 * Entries of .NET's distributed cache become strings, or strings such entries; under the names that they have. Gathering looks at
 * what the keys are, and their values are read when they are written, some at a time.
 */
export class CacheConverter implements Converter {
  readonly name = 'distributed-cache';
  private readonly start: Buffer;

  constructor(
    private readonly options: CacheOptions,
    private readonly surroundings: Surroundings,
  ) {
    this.start = Buffer.from(options.instanceName, 'utf8');
  }

  claims(key: Buffer): boolean {
    return key.subarray(0, this.start.length).equals(this.start);
  }

  nameAfter(key: Buffer): Buffer | undefined {
    return this.claims(key) ? key : undefined;
  }

  namesBefore(key: Buffer): readonly Buffer[] {
    return this.claims(key) ? [key] : [];
  }

  family(key: Buffer): readonly Buffer[] | undefined {
    return this.claims(key) ? [key] : undefined;
  }

  namesMade(group: Group): readonly Buffer[] {
    return [(group as CacheGroup).key];
  }

  /** Values are read when they are written. */
  bytesOf(): number {
    return 0;
  }

  async gather(source: ConvertSource, keys: readonly Buffer[]): Promise<Gathered> {
    const kinds = await this.readerOf(source).kinds(keys);
    const groups: CacheGroup[] = [];
    const plain: Buffer[] = [];
    let gone = 0;
    kinds.forEach((kind, i) => {
      const key = keys[i];
      if (key === undefined) return;
      if (kind === 'gone') gone++;
      else if (kind === 'plain') plain.push(key);
      else groups.push({ key, size: kind });
    });
    const others = { converted: 0, conflicts: 0, gone, bytes: 0 };
    // In place what is not to be converted is where it belongs, and so is what has been.
    if (this.surroundings.inPlace) return { groups, plain: [], skipped: plain.length, ...others };
    return { groups, plain, skipped: 0, ...others };
  }

  async write(groups: readonly Group[], context: ConvertContext): Promise<readonly GroupOutcome[]> {
    const outcomes = new Map<Group, GroupOutcome>();
    const wanted: CacheGroup[] = [];
    for (const group of groups as readonly CacheGroup[]) {
      if (group.size <= MOST_BYTES) wanted.push(group);
      else outcomes.set(group, failed(group.key, 'large', tooLarge(group.size)));
    }
    for (const batch of batchesOf(wanted)) {
      const done = await this.convert(
        batch.map(({ key }) => key),
        context,
      );
      batch.forEach((group, i) => outcomes.set(group, done[i] ?? EXPIRED));
    }
    return groups.map((group) => outcomes.get(group) ?? EXPIRED);
  }

  async compare(keys: readonly Buffer[], context: CompareContext): Promise<readonly Compared[]> {
    const source = this.readerOf(context.source);
    const target = this.storeOf(context.target, 'target', this.options.to === 'strings' ? 'entries' : 'strings');
    const compared = new Map<Buffer, Compared>();
    const groups: CacheGroup[] = [];
    (await source.kinds(keys)).forEach((kind, i) => {
      const key = keys[i];
      if (key === undefined) return;
      if (typeof kind === 'string') compared.set(key, kind);
      else if (kind > MOST_BYTES) compared.set(key, { code: 'missing', message: tooLarge(kind) });
      else groups.push({ key, size: kind });
    });
    for (const batch of batchesOf(groups)) {
      const asked = batch.map(({ key }) => key);
      const [here, there] = await Promise.all([source.read(asked), target.read(asked.map(context.naming))]);
      asked.forEach((key, i) => {
        const states = [here[i] ?? 'gone', there[i] ?? 'gone'] as const;
        compared.set(key, compareValues(...states, this.options.to, context.expiriesAgree));
      });
    }
    return keys.map((key) => compared.get(key) ?? 'gone');
  }

  private async convert(keys: readonly Buffer[], context: ConvertContext): Promise<readonly GroupOutcome[]> {
    const source = this.readerOf(context.source);
    const target = this.storeOf(context.target, 'target');
    const outcomes = new Map<Buffer, GroupOutcome>();
    let open = keys;
    for (let round = 0; open.length > 0 && round <= CHANGE_ROUNDS; round++) {
      const states = await source.read(open);
      const values: { readonly key: Buffer; readonly value: ValueToWrite }[] = [];
      open.forEach((key, i) => {
        const state = states[i] ?? 'gone';
        if (state === 'gone') outcomes.set(key, EXPIRED);
        else if (state === 'plain') outcomes.set(key, this.outcomeOfPlain(key));
        else if ('refused' in state) outcomes.set(key, failed(key, 'refused', state.refused));
        else {
          const value = this.valueOf(key, state, context);
          if ('kind' in value) outcomes.set(key, value);
          else values.push({ key, value });
        }
      });
      const written = await target.write(
        values.map(({ value }) => value),
        this.surroundings.inPlace ? 'inPlace' : this.surroundings.onConflict,
      );
      values.forEach(({ key, value }, i) => outcomes.set(key, outcomeOf(key, value, written[i] ?? 'changed')));
      open = values.filter((_, i) => written[i] === 'changed').map(({ key }) => key);
    }
    return keys.map((key) => outcomes.get(key) ?? EXPIRED);
  }

  /** A key that had the form to be converted when it was gathered, and has another one now. */
  private outcomeOfPlain(key: Buffer): GroupOutcome {
    // In place it has been converted, before a connection was lost or by another worker.
    if (this.surroundings.inPlace) return { kind: 'converted', bytes: 0 };
    return failed(key, 'changed', 'Something else was written under the name during the conversion.');
  }

  /** What is to be written of a key, or why nothing is. */
  private valueOf(key: Buffer, state: StoredValue, context: ConvertContext): ValueToWrite | GroupOutcome {
    const { to, sliding } = this.options;
    const { inPlace } = this.surroundings;
    const expiry = state.expiry === 0 ? 0 : expiryByClock(state.expiry, context.clockOffset);
    const name = context.naming(key);
    if (to === 'entries') {
      const data = state.data ?? Buffer.alloc(0);
      return { key: name, data, expiry, absexp: absoluteExpiration(expiry), sldexp: NONE };
    }
    const entry = readEntry(state);
    if ('wrong' in entry) return failed(key, entry.wrong, entry.message);
    const { data, slides } = entry;
    if (slides && sliding === 'refuse') {
      const message = 'The entry has a sliding expiration, which a string cannot have; see the option "sliding".';
      return failed(key, 'sliding', message);
    }
    const read = (field: Buffer | undefined) => (inPlace ? (field?.toString('latin1') ?? '') : '');
    return { key: name, data, expiry, absexp: read(state.absexp), sldexp: read(state.sldexp) };
  }

  private readerOf(source: ConvertSource): CacheReader {
    const { to } = this.options;
    return source.kind === 'file' ? new FileCache(source, to, MOST_BYTES) : this.storeOf(source.port, 'source');
  }

  private storeOf(port: RedisPort, side: 'source' | 'target', to = this.options.to): CacheStore {
    return new CacheStore(port, this.surroundings[side].scripts ? AT_ONCE : 1, to);
  }
}

/** Pieces of no more than BATCH_BYTES, or of one key. */
function* batchesOf(groups: readonly CacheGroup[]): Generator<readonly CacheGroup[]> {
  let batch: CacheGroup[] = [];
  let bytes = 0;
  for (const group of groups) {
    if (batch.length > 0 && bytes + group.size > BATCH_BYTES) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(group);
    bytes += group.size;
  }
  if (batch.length > 0) yield batch;
}

function outcomeOf(key: Buffer, { data }: ValueToWrite, state: WriteState): GroupOutcome {
  if (state === 'written') return { kind: 'converted', bytes: data.length };
  if (state === 'exists') return { kind: 'conflict' };
  if (state === 'expired') return { kind: 'expired' };
  if (state === 'changed') return failed(key, 'changed', 'The key was written to every time it was to be converted.');
  return failed(key, 'refused', state.refused);
}

function tooLarge(bytes: number): string {
  return `The value has ${bytes} bytes, too many to be converted.`;
}

function failed(key: Buffer, code: Parameters<typeof cacheFindings.code>[0], message: string): GroupOutcome {
  return { kind: 'failed', key, code: cacheFindings.code(code), message };
}
