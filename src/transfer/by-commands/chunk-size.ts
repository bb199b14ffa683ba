import type { BodyContext } from './types';

/** Elements that one command carries at most, so that no single command holds the target for long. */
export const ELEMENTS_PER_COMMAND = 1_000;

const MOST_ELEMENTS = 10_000;
const CAUTIOUS_ELEMENTS = 16;
const GROWTH = 4;
/** What an element of no bytes still costs in memory and on the wire. */
const OVERHEAD_BYTES = 16;

/**
 * How many elements to ask for at first.
 * @param memory bytes the whole key takes, by MEMORY USAGE; absent (no right, no command) means: be cautious
 * @param length how many elements there are; not needed for a key that fits a chunk
 */
export function firstCount(memory: number | undefined, length: number | undefined, chunkBytes: number): number {
  if (memory === undefined) return CAUTIOUS_ELEMENTS;
  if (memory <= chunkBytes) return ELEMENTS_PER_COMMAND;
  if (length === undefined || length === 0) return CAUTIOUS_ELEMENTS;
  return clamp(Math.floor(chunkBytes / Math.max(memory / length, OVERHEAD_BYTES)), 1, ELEMENTS_PER_COMMAND);
}

/** {@link firstCount} for the key at hand. */
export function firstCountOf({ memory, length, options }: BodyContext): number {
  return firstCount(memory, length, options.chunkBytes);
}

/**
 * How many elements to ask for next, after some came with some bytes: what fits the chunk at that size; shrinks at once, grows
 * slowly, because large elements may follow small ones.
 */
export function nextCount(count: number, elements: number, bytes: number, chunkBytes: number): number {
  if (elements === 0) return count;
  const fitting = Math.floor(chunkBytes / (bytes / elements + OVERHEAD_BYTES));
  return clamp(Math.min(fitting, count * GROWTH), 1, MOST_ELEMENTS);
}

/**
 * {@link nextCount} where a reply must be held beside what else is in memory: grows slower, never beyond what one command carries, and for
 * a while no further than elements as large as the largest one seen would fit.
 */
export class CarefulCount {
  /** How many elements to ask for. */
  now: number;
  private largest = 0;

  /** @param most elements that are ever asked for */
  constructor(
    first: number,
    private readonly chunkBytes: number,
    private readonly most = ELEMENTS_PER_COMMAND,
  ) {
    this.now = Math.min(first, most);
  }

  /** @param sizes of the elements that came, bytes */
  came(sizes: readonly number[]): void {
    if (sizes.length === 0) return;
    let [bytes, largest] = [0, this.largest / 2];
    for (const size of sizes) {
      bytes += size;
      largest = Math.max(largest, size);
    }
    this.largest = largest;
    const { chunkBytes } = this;
    const fitting = Math.floor(chunkBytes / (bytes / sizes.length + OVERHEAD_BYTES));
    const fittingLargest = Math.floor((2 * chunkBytes) / (largest + OVERHEAD_BYTES));
    this.now = clamp(Math.min(fitting, fittingLargest, 2 * this.now), 1, this.most);
  }
}

/** The elements in portions for one command each. */
export function portions<T>(elements: readonly T[]): T[][] {
  const result: T[][] = [];
  for (let at = 0; at < elements.length; at += ELEMENTS_PER_COMMAND) {
    result.push(elements.slice(at, at + ELEMENTS_PER_COMMAND));
  }
  return result;
}

function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, value));
}
