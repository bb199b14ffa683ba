import { stamp } from '../tools/payloads';
import type { Dice } from '../torture/dice';

/** A value as a server dumped it, without its footer, and the version it stood under. */
export interface Sample {
  readonly body: Buffer;
  readonly version: number;
}

const TYPES = [0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 24, 25] as const;
/** Types whose whole value stands in one string. */
const PACKED = new Set([9, 10, 11, 12, 13, 16, 17, 20]);
/** What is often a border: of lengths, of encodings, ends and signs. */
const EDGES = [
  0, 1, 2, 3, 0x1f, 0x20, 0x3f, 0x40, 0x7f, 0x80, 0x81, 0xc0, 0xc3, 0xdf, 0xe0, 0xf0, 0xf1, 0xf4, 0xfd, 0xfe, 0xff,
] as const;

/** Another payload with a good checksum, made from one that a server dumped by a few changes, at random. */
export function mutate(samples: readonly Sample[], dice: Dice): Buffer {
  const { body, version } = pick(samples, dice);
  let changed: Buffer = Buffer.from(body);
  const inside = dice.chance(50) ? packedPart(changed) : undefined;
  if (inside !== undefined) {
    let part = changed.subarray(inside.start, inside.end);
    for (let left = dice.between(1, 3); left > 0; left--) part = change(part, samples, dice);
    // What servers look at first agrees again, mostly.
    if (part.length >= 4 && dice.chance(80) && changed[0] !== 11 && changed[0] !== 9)
      part.writeUInt32LE(part.length, 0);
    changed = Buffer.concat([changed.subarray(0, 1), lengthOf(part.length), part]);
  } else for (let left = dice.between(1, 4); left > 0; left--) changed = change(changed, samples, dice);
  if (dice.chance(3) && changed.length > 0) changed[0] = dice.pick(TYPES);
  return stamp(changed, version);
}

function change(bytes: Buffer, samples: readonly Sample[], dice: Dice): Buffer {
  const { length } = bytes;
  if (length === 0) return Buffer.from([dice.next() & 255]);
  const at = dice.next() % length;
  const some = Math.min(length - at, dice.between(1, 12));
  const changed = Buffer.from(bytes);
  switch (dice.next() % 9) {
    case 0:
      changed[at] = (changed[at] ?? 0) ^ (1 << (dice.next() & 7));
      return changed;
    case 1:
    case 2:
      changed[at] = dice.pick(EDGES);
      return changed;
    case 3:
      changed[at] = (changed[at] ?? 0) + (dice.chance(50) ? 1 : -1);
      return changed;
    case 4:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + some)]);
    case 5:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at, at + some), bytes.subarray(at)]);
    case 6: {
      const { body } = pick(samples, dice);
      const from = dice.next() % body.length;
      return Buffer.concat([bytes.subarray(0, at), body.subarray(from, from + some), bytes.subarray(at + some)]);
    }
    case 7: {
      const other = dice.next() % length;
      changed.copy(changed, at, other, Math.min(length, other + some));
      return changed;
    }
    default:
      return dice.chance(20)
        ? bytes.subarray(0, at)
        : Buffer.concat([bytes.subarray(0, at), Buffer.from([dice.next() & 255]), bytes.subarray(at)]);
  }
}

/** Where the packed value stands, where it is not compressed. */
function packedPart(body: Buffer): { start: number; end: number } | undefined {
  const [type = 0, first = 0, second = 0] = body;
  if (!PACKED.has(type) || first >= 0x80) return undefined;
  const [start, length] = first < 0x40 ? [2, first] : [3, ((first & 0x3f) << 8) | second];
  return start + length === body.length ? { start, end: body.length } : undefined;
}

function lengthOf(length: number): Buffer {
  return length < 0x40 ? Buffer.from([length]) : Buffer.from([0x40 | (length >> 8), length & 255]);
}

function pick(samples: readonly Sample[], dice: Dice): Sample {
  const sample = samples[dice.next() % samples.length];
  if (sample === undefined) throw new Error('There is nothing to change.');
  return sample;
}
