import type { Command } from '../../redis/redis-port';
import { firstCountOf, nextCount, portions } from './chunk-size';
import { KeyChanged, TemporaryLost } from './conditions';
import { readAhead } from '../read-ahead';
import { asBytes, asList, asNumber, readSource } from './replies';
import { Parts } from './parts';
import type { Body, BodyContext } from './types';

/**
 * Copies a list by LRANGE windows from its head and RPUSH. A list that only grew at its tail meanwhile is copied as it was when
 * the copy began. A window at depth costs the source a walk over list nodes (8 KiB each), not over elements;
 * asking from the tail would not help, because servers before 7.0 turn negative indexes into a walk from the head.
 */
export async function copyList(context: BodyContext): Promise<Body> {
  const { temporary } = context;
  const parts = new Parts();
  let length = 0;
  let written = 0;
  let bytes = 0;
  for await (const window of readAhead(readWindows(context, (total) => (length = total)))) {
    const size = sizeOf(window);
    context.step();
    parts.add(written, window);
    const replies = await temporary.write(portions(window).map((part): Command => ['RPUSH', temporary.name, ...part]));
    written += window.length;
    bytes += size;
    if (replies.at(-1) !== written) throw new TemporaryLost('the temporary key does not have the length written');
  }
  if (written === 0 || written !== length) throw new KeyChanged('the list became shorter while it was read');
  return { bytes, losses: [], check: () => parts.look(context) };
}

function sizeOf(elements: readonly Buffer[]): number {
  return elements.reduce((sum, element) => sum + element.length, 0);
}

async function* readWindows(
  context: BodyContext,
  tellLength: (length: number) => void,
): AsyncGenerator<Buffer[], void, undefined> {
  const { source, sourceKey, options } = context;
  let count = await firstCountOf(context, 'LLEN');
  const [llen, head] = await readSource(source, [
    ['LLEN', sourceKey],
    ['LRANGE', sourceKey, '0', String(count - 1)],
  ]);
  let window = asList(head).map(asBytes);
  // A list that comes whole in one reply is what it is, whatever LLEN said a moment before.
  const length = window.length < count ? window.length : asNumber(llen);
  tellLength(length);
  for (let index = 0; window.length > 0;) {
    yield window;
    index += window.length;
    if (index >= length) return;
    count = nextCount(count, window.length, sizeOf(window), options.chunkBytes);
    const last = Math.min(index + count, length) - 1;
    const [reply] = await readSource(source, [['LRANGE', sourceKey, String(index), String(last)]]);
    window = asList(reply).map(asBytes);
  }
}
