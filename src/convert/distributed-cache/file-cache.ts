import { hashIn, stringIn } from '../file-values';
import type { FileKey, FileKeys } from '../file-keys';
import type { CacheReader, KeyKind, ReadState, StoredValue } from './cache-store';
import type { CacheOptions } from './options';

/** A hash that has one of these fields is an entry. */
const EXPIRATIONS = ['absexp', 'sldexp'];

/** Keys of a file, as cache-kinds.lua and cache-read.lua tell those of a server. */
export class FileCache implements CacheReader {
  /**
   * @param to what is made of them
   * @param mostBytes a key that takes more is told by what it takes
   */
  constructor(
    private readonly file: FileKeys,
    private readonly to: CacheOptions['to'],
    private readonly mostBytes: number,
  ) {}

  async kinds(keys: readonly Buffer[]): Promise<KeyKind[]> {
    const kinds: KeyKind[] = [];
    // One after the other: no value is needed.
    for (const key of keys) {
      const [state = 'gone'] = await this.states([key]);
      kinds.push(typeof state === 'object' ? (state.data?.length ?? 0) : state);
    }
    return kinds;
  }

  async read(keys: readonly Buffer[]): Promise<ReadState[]> {
    const states = await this.states(keys);
    return states.map((state) => (typeof state === 'number' ? 'plain' : state));
  }

  private async states(keys: readonly Buffer[]): Promise<(StoredValue | 'plain' | 'gone' | number)[]> {
    const found = await this.file.read(keys, this.mostBytes);
    return found.map((each) => (each === undefined ? 'gone' : this.stateOf(each)));
  }

  private stateOf({ payload, expiry }: FileKey): StoredValue | 'plain' | 'gone' | number {
    if (!Buffer.isBuffer(payload)) {
      const { type, bytes, fields } = payload;
      if (this.to === 'entries') return type === 'string' ? bytes : 'plain';
      const now = this.file.now();
      const alive = fields?.filter(({ expiry = Infinity }) => expiry > now);
      const isEntry = alive?.some(({ name }) => EXPIRATIONS.includes(name?.toString('latin1') ?? '')) === true;
      // One with more fields than an entry has is nothing that could be converted.
      return isEntry ? bytes : 'plain';
    }
    if (this.to === 'entries') {
      const data = stringIn(payload);
      return data === undefined ? 'plain' : { expiry, data, absexp: undefined, sldexp: undefined, fields: 1 };
    }
    const fields = hashIn(payload, this.file.now());
    if (fields === undefined) return 'plain';
    if (fields.length === 0) return 'gone';
    const valueOf = (name: string) => {
      const at = fields.findIndex((field, i) => i % 2 === 0 && field.toString('latin1') === name);
      return at < 0 ? undefined : fields[at + 1];
    };
    const [absexp, sldexp, data] = [valueOf('absexp'), valueOf('sldexp'), valueOf('data')];
    if (absexp === undefined && sldexp === undefined) return 'plain';
    return { expiry, data, absexp, sldexp, fields: fields.length / 2 };
  }
}
