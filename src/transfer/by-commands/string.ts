import { readAhead } from '../read-ahead';
import { asBytes, asNumber, readSource } from './replies';
import { KeyChanged, TemporaryLost } from './conditions';
import { Parts } from './parts';
import type { Body, BodyContext } from './types';

/**
 * Copies a string by GETRANGE and APPEND. A value that only grew meanwhile (APPEND) is copied as it was when the copy began.
 */
export async function copyString(context: BodyContext): Promise<Body> {
  const { temporary } = context;
  const parts = new Parts();
  let length: number | undefined;
  let written = 0;
  for await (const chunk of readAhead(readChunks(context, (total) => (length = total)))) {
    context.step();
    parts.add(written, chunk);
    const first = written === 0;
    const [reply] = await temporary.write([[first ? 'SET' : 'APPEND', temporary.name, chunk]]);
    written += chunk.length;
    if (!first && reply !== written) throw new TemporaryLost('the temporary key does not have the length written');
  }
  if (written !== length) throw new KeyChanged('the string became shorter while it was read');
  return { bytes: written, losses: [], check: () => parts.look(context) };
}

async function* readChunks(
  context: BodyContext,
  tellLength: (length: number) => void,
): AsyncGenerator<Buffer, void, undefined> {
  const { source, sourceKey, options } = context;
  const size = options.chunkBytes;
  const [strlen, head] = await readSource(source, [
    ['STRLEN', sourceKey],
    ['GETRANGE', sourceKey, '0', String(size - 1)],
  ]);
  const first = asBytes(head);
  // A value that comes whole in one reply is what it is, whatever STRLEN said a moment before.
  const length = first.length < size ? first.length : asNumber(strlen);
  tellLength(length);
  yield first;
  for (let offset = first.length; offset < length; offset += size) {
    const last = Math.min(offset + size, length) - 1;
    const [chunk] = await readSource(source, [['GETRANGE', sourceKey, String(offset), String(last)]]);
    yield asBytes(chunk);
  }
}
