import { inBudget } from './chunks';
import { KeyChanged, TemporaryLost } from './conditions';
import { Parts } from './parts';
import { asBytes, asNumber, readSource } from './replies';
import type { Body, BodyContext } from './types';

/**
 * Copies a string by GETRANGE and APPEND. A value that only grew meanwhile (APPEND) is copied as it was when the copy began.
 */
export async function copyString(context: BodyContext): Promise<Body> {
  const { temporary } = context;
  const kept = context.kept?.body.kind === 'ordered' ? context.kept.body : undefined;
  let length = kept?.length;
  let written = kept === undefined ? 0 : asNumber((await temporary.ask([['STRLEN', temporary.name]]))[0]);
  if (written < (kept?.written ?? 0))
    throw new TemporaryLost('the temporary key is shorter than what was written to it');
  const parts = new Parts(context, 'string', written, kept?.seen);
  const chunks = readChunks(context, kept && { length: kept.length, from: written }, (total) => (length = total));
  for await (const chunk of inBudget(context, chunks, ({ length: bytes }) => bytes)) {
    parts.add(written, chunk);
    const first = written === 0;
    const [reply] = await temporary.write([[first ? 'SET' : 'APPEND', temporary.name, chunk]]);
    written += chunk.length;
    if (!first && reply !== written) throw new TemporaryLost('the temporary key does not have the length written');
    context.reached({ kind: 'ordered', length: length ?? written, written, seen: 0 }, written);
  }
  if (written !== length) throw new KeyChanged('the string became shorter while it was read');
  return { bytes: written, losses: [], check: () => parts.look(written) };
}

async function* readChunks(
  context: BodyContext,
  kept: { readonly length: number; readonly from: number } | undefined,
  tellLength: (length: number) => void,
): AsyncGenerator<Buffer, void, undefined> {
  const { source, sourceKey, options } = context;
  const size = options.chunkBytes;
  let [length, offset] = [kept?.length ?? 0, kept?.from ?? 0];
  if (kept === undefined) {
    const [strlen, head] = await readSource(source, [
      ['STRLEN', sourceKey],
      ['GETRANGE', sourceKey, '0', String(size - 1)],
    ]);
    const first = asBytes(head);
    // A value that comes whole in one reply is what it is, whatever STRLEN said a moment before.
    length = first.length < size ? first.length : asNumber(strlen);
    offset = first.length;
    tellLength(length);
    yield first;
  }
  for (; offset < length; offset += size) {
    const last = Math.min(offset + size, length) - 1;
    const [chunk] = await readSource(source, [['GETRANGE', sourceKey, String(offset), String(last)]]);
    yield asBytes(chunk);
  }
}
