import { createHash } from 'node:crypto';

import type { Command, Reply } from '../../redis/redis-port';
import { firstCountOf, nextCount, portions } from './chunk-size';
import { KeyChanged, TemporaryLost } from './conditions';
import { readAhead } from '../read-ahead';
import { asBytes, asList, asNumber, readSource } from './replies';
import type { Body, BodyContext, Drift } from './types';

const MOST_PROBES = 64;
/** Elements above this are probed only at the head and at the tail, because a probe reads them whole. */
const PROBED_BYTES = 4_096;

/** An element's digest and its place, to find out later whether the list was shifted or written over. */
interface Probe {
  readonly index: number;
  readonly digest: string;
}

/**
 * Copies a list by LRANGE windows from its head and RPUSH. A list that only grew at its tail meanwhile is copied as it was when
 * the copy began. Shifts and cuts are found by its length and by looking again at up to 66 elements at window ends; an LSET of
 * another element is not noticed. A window at depth costs the source a walk over list nodes (8 KiB each), not over elements;
 * asking from the tail would not help, because servers before 7.0 turn negative indexes into a walk from the head.
 */
export async function copyList(context: BodyContext): Promise<Body> {
  const { source, sourceKey, temporary } = context;
  const probes: Probe[] = [];
  let tail: Probe | undefined;
  let length = 0;
  let written = 0;
  let bytes = 0;
  let windows = 0;
  for await (const window of readAhead(readWindows(context, (total) => (length = total)))) {
    windows++;
    const size = sizeOf(window);
    context.step(size);
    const last = window.at(-1);
    if (windows === 1) addProbe(probes, written, window[0], Infinity);
    if (probes.length < MOST_PROBES) addProbe(probes, written + window.length - 1, last, PROBED_BYTES);
    const replies = await temporary.write(
      portions(window, written === 0).map((part): Command => ['RPUSH', temporary.name, ...part]),
    );
    written += window.length;
    bytes += size;
    if (replies.at(-1) !== written) throw new TemporaryLost('the temporary key does not have the length written');
    if (written === length && last !== undefined) tail = { index: written - 1, digest: digest(last) };
  }
  if (written === 0 || written !== length) throw new KeyChanged('the list became shorter while it was read');
  const check = async (): Promise<Drift> => {
    if (windows === 1) return 'same';
    const looked = tail === undefined ? probes : [...probes, tail];
    const [now, ...elements] = await readSource(source, [
      ['LLEN', sourceKey],
      ...looked.map(({ index }): Command => ['LINDEX', sourceKey, String(index)]),
    ]);
    const intact = looked.every((probe, at) => isSame(probe, elements[at]));
    return intact && asNumber(now) >= written ? 'same' : 'mixture';
  };
  return { bytes, losses: [], check };
}

function addProbe(probes: Probe[], index: number, element: Buffer | undefined, limit: number): void {
  if (element !== undefined && element.length <= limit) probes.push({ index, digest: digest(element) });
}

function isSame(probe: Probe, element: Reply | undefined): boolean {
  return Buffer.isBuffer(element) && digest(element) === probe.digest;
}

function digest(element: Buffer): string {
  return createHash('sha256').update(element).digest('base64');
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
