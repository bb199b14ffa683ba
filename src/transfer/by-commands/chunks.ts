import { freeBuffers } from '../../basics/free-buffers';
import { readAhead } from '../read-ahead';
import type { BodyContext, ChunkBudget } from './types';

/** What a chunk takes before its size is known, where nothing tells how large the key is. Bytes. */
const FIRST_GUESS = 65_536;
/** A chunk is there once; the one before it is, until the collector has come to it. */
const COPIES = 2;

interface Sized<T> {
  readonly chunk: T;
  readonly bytes: number;
}

/**
 * Reads something of a key and works on it, with its share of the budget.
 * @param guess bytes that come, about
 * @param use what is done with it; nothing of it is held afterwards, and large buffers of it are empty
 */
export async function readInBudget<T, R>(
  budget: ChunkBudget | undefined,
  guess: number,
  read: () => Promise<T>,
  sizeOf: (what: T) => number,
  use: (what: T) => R | Promise<R>,
): Promise<R> {
  let taken = COPIES * Math.ceil(guess);
  await budget?.take(taken);
  try {
    const what = await read();
    const actual = COPIES * sizeOf(what);
    budget?.correct(taken, actual);
    taken = actual;
    const used = await use(what);
    freeBuffers(what);
    return used;
  } finally {
    budget?.give(taken);
  }
}

/** What one read of a key brings, about; bytes. */
export function guessOf({
  memory,
  length,
  options: { chunkBytes },
}: Pick<BodyContext, 'memory' | 'length' | 'options'>): number {
  const element = memory === undefined || length === undefined ? 0 : memory / Math.max(1, length);
  return Math.ceil(Math.max(element, Math.min(chunkBytes, memory ?? FIRST_GUESS)));
}

/**
 * The chunks that a source gives, one read ahead. Each takes from the budget from before it is read until the next one is asked for. Then
 * what is done with it is done, and answered: large buffers of it are empty.
 */
export async function* inBudget<T>(
  context: BodyContext,
  source: AsyncGenerator<T, void, undefined>,
  sizeOf: (chunk: T) => number,
): AsyncGenerator<T, void, undefined> {
  const { budget } = context.options;
  const drop = ({ bytes }: Sized<T>) => budget?.give(bytes);
  for await (const sized of readAhead(measured(context, source, sizeOf), drop)) {
    try {
      yield sized.chunk;
      // What a file gives may be of what else is read of it.
      if (context.options.sourceIsStill !== true) freeBuffers(sized.chunk);
    } finally {
      drop(sized);
    }
  }
}

async function* measured<T>(
  context: BodyContext,
  source: AsyncGenerator<T, void, undefined>,
  sizeOf: (chunk: T) => number,
): AsyncGenerator<Sized<T>, void, undefined> {
  const { budget } = context.options;
  let guess = COPIES * guessOf(context);
  try {
    for (;;) {
      await budget?.take(guess);
      let result: IteratorResult<T, void> | undefined;
      try {
        result = await source.next();
      } finally {
        if (result?.done !== false) budget?.give(guess);
      }
      if (result.done === true) return;
      const bytes = COPIES * sizeOf(result.value);
      budget?.correct(guess, bytes);
      yield { chunk: result.value, bytes };
      guess = Math.max(guess, bytes);
    }
  } finally {
    await source.return();
  }
}
