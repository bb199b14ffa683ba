import type { Command } from '../../redis/redis-port';
import { firstCountOf, nextCount } from './chunk-size';
import { KeyGone } from './conditions';
import { readAhead } from '../read-ahead';
import { asBytes, asList, readSource } from './replies';
import type { Body, BodyContext, Drift } from './types';

/** How a type that is walked by a cursor is read and written. */
export interface ScannedType {
  readonly scan: 'SSCAN' | 'HSCAN' | 'ZSCAN';
  readonly length: 'SCARD' | 'HLEN' | 'ZCARD';
  /** How many values of the reply make one element: 1 for a set, 2 for a hash or a sorted set. */
  readonly width: 1 | 2;
}

/** What one cursor step gave: the flat values of its elements, at least one element. */
export type Page = readonly Buffer[];

/**
 * Walks a set, hash or sorted set and hands every page to `write`, reading the next meanwhile. A page may hold elements seen before
 * (Redis repeats some while it resizes a table), so writing must be idempotent.
 * @param look tells whether what was built is what the source has; asked only where one reply did not hold everything
 */
export async function copyScanned(
  context: BodyContext,
  type: ScannedType,
  write: (page: Page) => Promise<void>,
  look: () => Promise<Drift>,
): Promise<Omit<Body, 'losses'>> {
  let pages = 0;
  let steps = 0;
  let bytes = 0;
  for await (const page of readAhead(readPages(context, type, () => steps++))) {
    const size = sizeOf(page);
    context.step();
    await write(page);
    pages++;
    bytes += size;
  }
  if (pages === 0) throw new KeyGone('the key has no elements');
  // One reply that held everything shows the key at one moment.
  return { bytes, check: () => (steps === 1 ? Promise.resolve('same') : look()) };
}

async function* readPages(
  context: BodyContext,
  type: ScannedType,
  countStep: () => void,
): AsyncGenerator<Page, void, undefined> {
  const { source, sourceKey, options } = context;
  let count = await firstCountOf(context, type.length);
  let cursor: Buffer = Buffer.from('0');
  do {
    const command: Command = [type.scan, sourceKey, cursor, 'COUNT', String(count)];
    const [reply] = await readSource(source, [command]);
    countStep();
    const [next, values] = asList(reply);
    const page = asList(values).map(asBytes);
    if (page.length > 0) yield page;
    count = nextCount(count, page.length / type.width, sizeOf(page), options.chunkBytes);
    cursor = asBytes(next);
  } while (cursor.toString('latin1') !== '0');
}

function sizeOf(values: Page): number {
  return values.reduce((sum, value) => sum + value.length, 0);
}
