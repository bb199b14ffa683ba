/**
 * How .NET's distributed cache keeps an entry: a hash of three fields. `absexp` is the moment when it expires, in ticks (100 ns
 * since the year 1, UTC), `sldexp` how long it lives after each reading, in ticks too, "-1" where there is none; `data` is the
 * value. The key expires at the earlier of both, and with `sldexp` every reading sets it anew.
 *
 * From the source of Microsoft.Extensions.Caching.StackExchangeRedis, which writes as Microsoft.Extensions.Caching.Redis did:
 * https://github.com/dotnet/aspnetcore/blob/main/src/Caching/StackExchangeRedis/src/RedisCache.cs
 * (GetHashFields, MapMetadata, Refresh).
 */
export interface StoredEntry {
  readonly absexp: Buffer | undefined;
  readonly sldexp: Buffer | undefined;
  readonly data: Buffer | undefined;
  /** Fields that the hash has in all. */
  readonly fields: number;
}

/** What is in an entry, or why it is none that can be converted without a loss. */
export type ReadEntry =
  | { readonly data: Buffer; readonly slides: boolean }
  | { readonly wrong: 'no-data' | 'more-fields' | 'bad-expiration'; readonly message: string };

/** What stands for "none". */
export const NONE = '-1';

const TICKS_A_MS = 10_000n;
/** 1970 in ticks. */
const UNIX_EPOCH = 621_355_968_000_000_000n;
/** DateTimeOffset.MaxValue: what is beyond it .NET does not read. */
const LAST_TICK = 3_155_378_975_999_999_999n;
/** 50 ms. */
const MOST_OFF = 500_000n;
const LONGEST_TIME_SPAN = 2n ** 63n - 1n;

/** Takes an entry apart, as .NET reads it: a field that is not there stands for "none". */
export function readEntry({ absexp, sldexp, data, fields }: StoredEntry): ReadEntry {
  if (data === undefined) {
    return { wrong: 'no-data', message: 'The hash has the expirations of a cache entry and no field "data".' };
  }
  const known = [absexp, sldexp, data].filter((field) => field !== undefined).length;
  if (fields !== known) {
    return { wrong: 'more-fields', message: `The hash has ${fields - known} fields that no cache entry has.` };
  }
  if (!isTicks(absexp, LAST_TICK) || !isTicks(sldexp, LONGEST_TIME_SPAN)) {
    const field = isTicks(absexp, LAST_TICK) ? 'sldexp' : 'absexp';
    return { wrong: 'bad-expiration', message: `The field "${field}" holds no number of ticks.` };
  }
  return { data, slides: sldexp !== undefined && sldexp.toString('latin1') !== NONE };
}

/**
 * `absexp` of an entry that expires with its key.
 * @param expiry ms since 1970; 0: never
 */
export function absoluteExpiration(expiry: number): string {
  if (expiry === 0) return NONE;
  const ticks = UNIX_EPOCH + BigInt(Math.round(expiry)) * TICKS_A_MS;
  return ticks > LAST_TICK ? NONE : String(ticks);
}

/** Whether an entry is as one that expires with its key is written, to the ms that clocks and rounding take. */
export function isPlainEntry({ absexp, sldexp, fields }: StoredEntry, expiry: number): boolean {
  const [absolute, sliding] = [absexp, sldexp].map((field) => field?.toString('latin1'));
  if (fields !== 3 || sliding !== NONE || absolute === undefined || !isTicks(absexp, LAST_TICK)) return false;
  const expected = absoluteExpiration(expiry);
  if (absolute === NONE || expected === NONE) return absolute === expected;
  const off = BigInt(absolute) - BigInt(expected);
  return off <= MOST_OFF && off >= -MOST_OFF;
}

function isTicks(field: Buffer | undefined, most: bigint): boolean {
  if (field === undefined) return true;
  const text = field.toString('latin1');
  return text === NONE || (/^\d{1,19}$/.test(text) && BigInt(text) <= most);
}
