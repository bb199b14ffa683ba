import type { Command, Side } from './side';
import { timeOf } from './side';

/** Type and expiry of a key: `expiresAt` in ms of the server's own clock, `none` without an expiry. */
export interface KeyState {
  readonly type: string;
  readonly expiresAt: number | 'none';
}

/** Keys that are asked for between two looks at the server's clock. */
const BETWEEN_LOOKS = 20;

/** Type and expiry of each key; undefined where there is no such key. Exact to half of the time that a few keys take the server. */
export async function readStates(
  side: Side,
  database: number,
  keys: readonly Buffer[],
): Promise<(KeyState | undefined)[]> {
  const looks = Math.ceil(keys.length / BETWEEN_LOOKS);
  const parts = Array.from({ length: looks }, (_, i) => keys.slice(i * BETWEEN_LOOKS, (i + 1) * BETWEEN_LOOKS));
  const replies = await side.ask(database, [
    ...parts.flatMap((part): Command[] => [['TIME'], ...part.map((key): Command => ['PTTL', key])]),
    ['TIME'],
    ...keys.map((key): Command => ['TYPE', key]),
  ]);
  return keys.map((_, at) => {
    const start = Math.floor(at / BETWEEN_LOOKS) * (BETWEEN_LOOKS + 1);
    const end = Math.min(start + BETWEEN_LOOKS + 1, keys.length + looks);
    const now = (timeOf(replies[start]) + timeOf(replies[end])) / 2;
    const left = Number(replies[start + 1 + (at % BETWEEN_LOOKS)]);
    const type = String(replies[keys.length + looks + 1 + at]);
    if (left === -2 || type === 'none') return undefined;
    return { type, expiresAt: left === -1 ? 'none' : now + left };
  });
}

/** For each hash, when each of its fields with an expiry of their own expires, in ms of the server's clock. */
export async function readFieldExpiries(
  side: Side,
  database: number,
  hashes: readonly { key: Buffer; fields: readonly string[] }[],
): Promise<Map<string, number>[]> {
  if (!side.hasFieldExpiry) return hashes.map(() => new Map());
  // Servers that have expiries of fields tell the time itself, however long they take for thousands of them.
  const replies = await side.ask(
    database,
    hashes.map(({ key, fields }): Command => {
      return ['HPEXPIRETIME', key, 'FIELDS', fields.length, ...fields.map((field) => Buffer.from(field, 'latin1'))];
    }),
  );
  return hashes.map(({ fields }, at) => {
    const times = replies[at];
    const found = new Map<string, number>();
    if (!Array.isArray(times)) return found;
    for (const [index, time] of times.entries()) {
      if (Number(time) >= 0) found.set(fields[index]!, Number(time));
    }
    return found;
  });
}
