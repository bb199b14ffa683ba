import { z } from 'zod';
import { amount, type DocumentOf } from '../migration/document';

export const amountSchema = z.strictObject({ keys: amount, bytes: amount });

/** A number of keys and the bytes that they take. */
export type Amount = DocumentOf<typeof amountSchema>;

/** Amounts by names from a small set: types, encodings, reasons. As it is kept: [name, keys, bytes]. */
export type KeptAmounts = readonly (readonly [string, number, number])[];

/** Names beyond this, which no server should have, are added up under "other". */
const MOST_NAMES = 200;

/** Adds up amounts by name. */
export class AmountSums {
  private readonly sums = new Map<string, { keys: number; bytes: number }>();

  static from(kept: KeptAmounts): AmountSums {
    const sums = new AmountSums();
    for (const [name, keys, bytes] of kept) sums.add(name, keys, bytes);
    return sums;
  }

  add(name: string, keys: number, bytes: number): void {
    const place = this.sums.has(name) || this.sums.size < MOST_NAMES ? name : 'other';
    const sum = this.sums.get(place);
    if (sum === undefined) this.sums.set(place, { keys, bytes });
    else {
      sum.keys += keys;
      sum.bytes += bytes;
    }
  }

  merge(other: AmountSums): void {
    for (const [name, { keys, bytes }] of other.sums) this.add(name, keys, bytes);
  }

  get(name: string): Amount {
    return { keys: 0, bytes: 0, ...this.sums.get(name) };
  }

  /** The most bytes first. */
  entries(): (Amount & { readonly name: string })[] {
    return [...this.sums]
      .map(([name, sum]) => ({ name, ...sum }))
      .sort((a, b) => b.bytes - a.bytes || b.keys - a.keys || (a.name < b.name ? -1 : 1));
  }

  toKept(): KeptAmounts {
    return [...this.sums].map(([name, { keys, bytes }]) => [name, keys, bytes] as const);
  }
}
