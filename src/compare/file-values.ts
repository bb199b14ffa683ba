import type { App } from '../app/app';
import type { Names } from '../convert/names';
import { typeNameOf } from '../payload/type-names';
import type { FileOrigin } from '../range/file-origin';
import type { ReadKeys } from '../transfer/page-reader';
import type { Pair } from './examine';
import { knownValue, unknownValue, type KnownValue } from './known-value';

const MIB = 1_048_576;

/** What the keys of a file are, out of pages as they were read. */
export class FileValues {
  /** @param now the clock that expiries are told by, ms since 1970 */
  constructor(
    private readonly file: Pick<FileOrigin, 'attempt' | 'largeOf' | 'readerOfWhole'>,
    private readonly now: () => number,
    private readonly app: Pick<App, 'budget' | 'settings'>,
  ) {}

  /** Pairs of a page's keys with what they are, as they will be compared; of some of them where that is said. */
  async pairs(
    { keys, payloads, expiries }: ReadKeys,
    names: Pick<Names, 'onTarget'>,
    wanted: (key: Buffer) => boolean = () => true,
  ): Promise<Pair[]> {
    const pairs: Pair[] = [];
    for (const [i, key] of keys.entries()) {
      if (!wanted(key)) continue;
      const payload = payloads[i];
      const known = Buffer.isBuffer(payload)
        ? knownValue(payload, expiries[i] ?? 0, this.now)
        : await this.large(key, expiries[i] ?? 0);
      pairs.push({ source: key, target: names.onTarget(key), known });
    }
    return pairs;
  }

  private async large(key: Buffer, expiry: number): Promise<KnownValue> {
    const { file, app, now } = this;
    const { type = 0, bytes = 0 } = file.largeOf(key) ?? {};
    const most = app.settings.bytesInFlight;
    const tooLarge = `It has more than ${Math.floor(most / MIB)} MiB, the most that is read of a file at once (KEYFERRY_MEMORY_MIB): its value cannot be compared`;
    if (bytes > most) return unknownValue(typeNameOf(type), expiry, now, tooLarge);
    await app.budget.chunks.take(bytes);
    try {
      const [payload] = (await file.attempt(() => file.readerOfWhole.read([key]))).payloads;
      return Buffer.isBuffer(payload)
        ? knownValue(payload, expiry, now)
        : unknownValue(typeNameOf(type), expiry, now, tooLarge);
    } finally {
      app.budget.chunks.give(bytes);
    }
  }
}
