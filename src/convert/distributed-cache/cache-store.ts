import type { RedisPort, Reply } from '../../redis/redis-port';
import { runScript } from '../../redis/scripts';
import { inBatches, type Refused } from '../batches';
import type { StoredEntry } from './entry';
import type { CacheOptions } from './options';
import { scripts } from './scripts';

/** A key's value with when it expires, in ms of the server's clock; 0: never. Of an entry all of its fields, of a string the data only. */
export interface StoredValue extends StoredEntry {
  readonly expiry: number;
}

export type ReadState = StoredValue | Refused | 'plain' | 'gone';

/** Length of a value, or what the key is instead. */
export type KeyKind = number | 'plain' | 'gone';

export interface ValueToWrite {
  readonly key: Buffer;
  readonly data: Buffer;
  /** ms of this server's clock; 0: never. */
  readonly expiry: number;
  /** To be written with an entry; in place of strings what was read. */
  readonly absexp: string;
  readonly sldexp: string;
}

export type WriteState = Refused | 'written' | 'exists' | 'expired' | 'changed';

/** Reads keys where they are converted from. */
export interface CacheReader {
  /** What keys are; a refusal is "plain". */
  kinds(keys: readonly Buffer[]): Promise<KeyKind[]>;
  read(keys: readonly Buffer[]): Promise<ReadState[]>;
}

/** Keys of one database, through scripts over as many at once as the server allows. */
export class CacheStore implements CacheReader {
  /** @param to what is made of them */
  constructor(
    private readonly port: RedisPort,
    private readonly atOnce: number,
    private readonly to: CacheOptions['to'],
  ) {}

  async kinds(keys: readonly Buffer[]): Promise<KeyKind[]> {
    const kinds = await inBatches(keys, this.atOnce, async (batch): Promise<KeyKind[]> => {
      const [, ...sizes] = await this.run('kinds', batch, []);
      return sizes.map((size) => (size === -2 ? 'gone' : size === -1 ? 'plain' : Number(size)));
    });
    return kinds.map((kind) => (typeof kind === 'object' ? 'plain' : kind));
  }

  async read(keys: readonly Buffer[]): Promise<ReadState[]> {
    return await inBatches(keys, this.atOnce, async (batch): Promise<ReadState[]> => {
      const [, ...replies] = await this.run('read', batch, []);
      return replies.map(readState);
    });
  }

  async write(values: readonly ValueToWrite[], mode: 'replace' | 'skip' | 'inPlace'): Promise<WriteState[]> {
    return await inBatches(values, this.atOnce, async (batch) => {
      const args = batch.flatMap(({ data, expiry, absexp, sldexp }) => [data, String(expiry), absexp, sldexp]);
      const replies = await this.run(
        'write',
        batch.map(({ key }) => key),
        [mode, ...args],
      );
      return replies.map((reply) => String(reply) as WriteState);
    });
  }

  private async run(
    script: 'kinds' | 'read' | 'write',
    keys: readonly Buffer[],
    args: readonly (string | Buffer)[],
  ): Promise<Reply[]> {
    const reply = await runScript(this.port, scripts[script], keys, [this.to, ...args]);
    if (!Array.isArray(reply)) throw new Error('The server answered in an unexpected form.');
    return reply;
  }
}

function readState(reply: Reply): ReadState {
  if (!Array.isArray(reply)) return String(reply) as 'plain' | 'gone';
  const [expiry, data, absexp, sldexp, fields] = reply;
  return {
    expiry: Math.max(0, Number(String(expiry))),
    data: bytes(data),
    absexp: bytes(absexp),
    sldexp: bytes(sldexp),
    fields: Number(fields ?? 1),
  };
}

function bytes(reply: Reply | undefined): Buffer | undefined {
  return Buffer.isBuffer(reply) ? reply : undefined;
}
