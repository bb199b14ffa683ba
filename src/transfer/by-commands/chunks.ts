import { readAhead } from '../read-ahead';
import type { BodyContext } from './types';

/** What a chunk takes before its size is known, where nothing tells how large the key is. Bytes. */
const FIRST_GUESS = 65_536;
/** While a chunk is on its way, it is there as it came in, as it was put together, and as it goes out. */
const COPIES = 3;

interface Sized<T> {
  readonly chunk: T;
  readonly bytes: number;
}

/** The chunks that a source gives, one read ahead. Each takes from the budget from before it is read until the next one is asked for. */
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
    } finally {
      drop(sized);
    }
  }
}

async function* measured<T>(
  { memory, length, options: { budget, chunkBytes } }: BodyContext,
  source: AsyncGenerator<T, void, undefined>,
  sizeOf: (chunk: T) => number,
): AsyncGenerator<Sized<T>, void, undefined> {
  const element = memory === undefined || length === undefined ? 0 : memory / Math.max(1, length);
  let guess = COPIES * Math.ceil(Math.max(element, Math.min(chunkBytes, memory ?? FIRST_GUESS)));
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
