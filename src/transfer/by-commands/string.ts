import { readAhead } from '../read-ahead';
import { asBytes, asNumber, readSource } from './replies';
import { KeyChanged, TemporaryLost } from './conditions';
import type { Body, BodyContext, Drift } from './types';

const PROBE_BYTES = 32;
const MOST_PROBES = 1_024;

/** A few bytes and where they stood, to find out later whether the value was written over. */
interface Probe {
  readonly offset: number;
  readonly bytes: Buffer;
}

/**
 * Copies a string by GETRANGE and APPEND. A value that only grew meanwhile (APPEND) is copied as it was when the copy began. Bytes
 * changed in place, without a change of length and beside all probes (32 bytes at the start of each chunk), are not noticed.
 */
export async function copyString(context: BodyContext): Promise<Body> {
  const { source, sourceKey, temporary, options } = context;
  const probes: Probe[] = [];
  let length: number | undefined;
  let written = 0;
  for await (const chunk of readAhead(readChunks(context, (total) => (length = total)))) {
    context.step(chunk.length);
    if (isProbed(written, length ?? 0, options.chunkBytes)) probes.push(probeOf(written, chunk));
    const first = written === 0;
    const [reply] = await temporary.write([[first ? 'SET' : 'APPEND', temporary.name, chunk]]);
    written += chunk.length;
    if (!first && reply !== written) throw new TemporaryLost('the temporary key does not have the length written');
  }
  if (written !== length) throw new KeyChanged('the string became shorter while it was read');
  const check = async (): Promise<Drift> => {
    if (written <= options.chunkBytes) return 'same';
    const [now, ...parts] = await readSource(source, [
      ['STRLEN', sourceKey],
      ...probes.map(
        ({ offset, bytes }) => ['GETRANGE', sourceKey, String(offset), String(offset + bytes.length - 1)] as const,
      ),
    ]);
    const intact = probes.every(({ bytes }, at) => asBytes(parts[at]).equals(bytes));
    return intact && asNumber(now) >= written ? 'same' : 'mixture';
  };
  return { bytes: written, losses: [], check };
}

/** Whether the chunk at the offset is probed: every chunk, or every n-th where there are more than 1,024. */
function isProbed(offset: number, length: number, chunkBytes: number): boolean {
  const stride = Math.ceil(length / chunkBytes / MOST_PROBES);
  return stride <= 1 || Math.floor(offset / chunkBytes) % stride === 0;
}

function probeOf(offset: number, chunk: Buffer): Probe {
  return { offset, bytes: Buffer.from(chunk.subarray(0, PROBE_BYTES)) };
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
