/** A repeatable source of numbers below `below`. */
export type Random = (below: number) => number;

/** Numbers from a seed (mulberry32). */
export function random(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const LENGTHS = [-1, 0, 1, 2, 255, 65_536, 16_777_216, 0x7fff_ffff, -0x8000_0000];

const MUTATIONS: readonly ((bytes: Buffer, other: Buffer, next: Random) => Buffer)[] = [
  function flipBit(bytes, _, next) {
    const at = next(bytes.length);
    bytes[at]! ^= 1 << next(8);
    return bytes;
  },
  function setByte(bytes, _, next) {
    bytes[next(bytes.length)] = next(256);
    return bytes;
  },
  function setRecord(bytes, _, next) {
    bytes[17 + next(Math.max(bytes.length - 17, 1))] = next(18);
    return bytes;
  },
  function truncate(bytes, _, next) {
    return bytes.subarray(0, next(bytes.length));
  },
  function truncateAndEnd(bytes, _, next) {
    return Buffer.concat([bytes.subarray(0, next(bytes.length)), Buffer.of(0x0b)]);
  },
  function splice(bytes, other, next) {
    return Buffer.concat([bytes.subarray(0, next(bytes.length)), other.subarray(next(other.length))]);
  },
  function insert(bytes, other, next) {
    const at = next(bytes.length);
    const from = next(other.length);
    return Buffer.concat([bytes.subarray(0, at), other.subarray(from, from + next(20)), bytes.subarray(at)]);
  },
  function remove(bytes, _, next) {
    const at = next(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + next(12))]);
  },
  function repeat(bytes, _, next) {
    const at = next(bytes.length);
    const end = at + 1 + next(40);
    return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at, end), bytes.subarray(end)]);
  },
  function inflateLength(bytes, _, next) {
    const at = next(Math.max(bytes.length - 4, 1));
    if (bytes.length >= 4) bytes.writeInt32LE(LENGTHS[next(LENGTHS.length)]!, at);
    return bytes;
  },
  function nudgeNumber(bytes, _, next) {
    const at = next(Math.max(bytes.length - 4, 1));
    if (bytes.length >= 4) bytes.writeInt32LE((bytes.readInt32LE(at) + next(7) - 3) | 0, at);
    return bytes;
  },
];

/** A damaged copy: one to three mutations of bytes, lengths, order. */
export function mutate(bytes: Buffer, other: Buffer, next: Random): Buffer {
  let damaged = Buffer.from(bytes);
  for (let left = 1 + next(3); left > 0 && damaged.length > 0; left--) {
    damaged = Buffer.from(MUTATIONS[next(MUTATIONS.length)]!(damaged, other, next));
  }
  return damaged;
}
