import type { Command } from '../../redis/redis-port';
import { firstCountOf, nextCount, portions } from './chunk-size';
import { inBudget } from './chunks';
import { KeyChanged, TemporaryLost } from './conditions';
import { Parts } from './parts';
import { asBytes, asList, asNumber, readSource } from './replies';
import type { Body, BodyContext } from './types';

/**
 * Copies a list by LRANGE windows from its head and RPUSH. A list that only grew at its tail meanwhile is copied as it was when
 * the copy began. A window at depth costs the source a walk over list nodes (8 KiB each), not over elements;
 * asking from the tail would not help, because servers before 7.0 turn negative indexes into a walk from the head.
 */
export async function copyList(context: BodyContext): Promise<Body> {
  const { temporary } = context;
  const kept = context.kept?.body.kind === 'ordered' ? context.kept.body : undefined;
  if (kept !== undefined) await cutTo(context, kept.written);
  let { length = 0, written = 0 } = kept ?? {};
  let bytes = context.kept?.bytes ?? 0;
  const parts = new Parts(context, 'list', written, kept?.seen);
  const windows = readWindows(context, kept && { length, from: written }, (total) => (length = total));
  for await (const window of inBudget(context, windows, sizeOf)) {
    parts.add(written, window);
    const replies = await temporary.write(portions(window).map((part): Command => ['RPUSH', temporary.name, ...part]));
    written += window.length;
    bytes += sizeOf(window);
    if (replies.at(-1) !== written) throw new TemporaryLost('the temporary key does not have the length written');
    context.reached({ kind: 'ordered', length, written, seen: 0 }, bytes);
  }
  if (written === 0 || written !== length) throw new KeyChanged('the list became shorter while it was read');
  return { bytes, losses: [], check: () => parts.look(bytes) };
}

/** What was sent and not answered may have been written besides. */
async function cutTo({ temporary }: BodyContext, written: number): Promise<void> {
  const [length] = await temporary.ask([['LLEN', temporary.name]]);
  if (asNumber(length) < written) throw new TemporaryLost('the temporary key is shorter than what was written to it');
  if (asNumber(length) > written) await temporary.write([['LTRIM', temporary.name, '0', String(written - 1)]]);
}

function sizeOf(elements: readonly Buffer[]): number {
  return elements.reduce((sum, element) => sum + element.length, 0);
}

async function* readWindows(
  context: BodyContext,
  kept: { readonly length: number; readonly from: number } | undefined,
  tellLength: (length: number) => void,
): AsyncGenerator<Buffer[], void, undefined> {
  const { source, sourceKey, options } = context;
  let count = firstCountOf(context);
  let [length, index] = [kept?.length ?? 0, kept?.from ?? 0];
  if (kept === undefined) {
    const [llen, head] = await readSource(source, [
      ['LLEN', sourceKey],
      ['LRANGE', sourceKey, '0', String(count - 1)],
    ]);
    const window = asList(head).map(asBytes);
    // A list that comes whole in one reply is what it is, whatever LLEN said a moment before. A page of a file ends early where elements are large.
    const isWhole = window.length < count && options.sourceIsStill !== true;
    length = isWhole ? window.length : asNumber(llen);
    tellLength(length);
    if (window.length === 0) return;
    index = window.length;
    count = nextCount(count, window.length, sizeOf(window), options.chunkBytes);
    yield window;
  }
  while (index < length) {
    const last = Math.min(index + count, length) - 1;
    const [reply] = await readSource(source, [['LRANGE', sourceKey, String(index), String(last)]]);
    const window = asList(reply).map(asBytes);
    if (window.length === 0) return;
    index += window.length;
    count = nextCount(count, window.length, sizeOf(window), options.chunkBytes);
    yield window;
  }
}
