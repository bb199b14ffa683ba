import type { UseKind } from '../migration/use-kind';
import type { RedisError } from '../redis/errors';
import type { KeyedPort } from '../redis/redis-port';
import { encodeRestores } from './encode-restores';

/** One key to be restored. */
export interface RestoreEntry {
  readonly key: Buffer;
  /** Absolute expiry in ms of the target's clock; 0: none. */
  readonly expiry: number;
  readonly payload: Buffer;
  /** As the options' kind counts it; nothing, or below 0, where it is not known. */
  readonly use?: number | undefined;
}

/** Why an entry was not written: its time came on the way, or what the server answered. */
export type Refusal =
  | {
      /** Its place in what was to be written. */
      readonly index: number;
      readonly kind: 'expired';
    }
  | { readonly index: number; readonly kind: RedisError['kind']; readonly error: RedisError };

export interface WriteOptions {
  readonly replace: boolean;
  /** RESTORE … ABSTTL is there (from 5.0). */
  readonly absoluteExpiry: boolean;
  /** What of a key's use is given with it. */
  readonly use?: UseKind | undefined;
}

/**
 * Restores pages into one database of the target, by plain RESTORE commands that go out together. (A script that restores
 * a page takes the server half as much CPU again, and proxies and clusters refuse it.) What belongs to several nodes of a
 * cluster goes to each in one piece.
 */
export class PageWriter {
  /** @param targetNow the target's clock at this moment, in ms since 1970 */
  constructor(
    private readonly port: KeyedPort,
    private readonly options: WriteOptions,
    private readonly targetNow: () => number,
  ) {}

  /** Writes each entry by itself and gives those that were not written. @throws RedisError of the connection */
  async write(entries: readonly RestoreEntry[]): Promise<readonly Refusal[]> {
    const now = Math.round(this.targetNow());
    const alive: RestoreEntry[] = [];
    const places: number[] = [];
    const refusals: Refusal[] = [];
    entries.forEach((entry, index) => {
      // Redis would take an expiry in the past for a deletion and answer OK.
      if (entry.expiry !== 0 && entry.expiry <= now) {
        refusals.push({ index, kind: 'expired' });
      } else {
        alive.push(entry);
        places.push(index);
      }
    });
    const refused = await this.port.sendKeyed(
      alive.map(({ key }) => key),
      (chosen) => encodeRestores(chosen === undefined ? alive : entriesAt(alive, chosen), { ...this.options, now }),
    );
    for (const [place, error] of refused) {
      refusals.push({ index: places[place] ?? 0, kind: error.kind, error });
    }
    return refusals;
  }
}

function entriesAt(entries: readonly RestoreEntry[], places: readonly number[]): RestoreEntry[] {
  const chosen: RestoreEntry[] = [];
  for (const place of places) {
    const entry = entries[place];
    if (entry !== undefined) chosen.push(entry);
  }
  return chosen;
}
