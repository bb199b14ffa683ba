import type { Command, Side } from './side';
import { timeOf } from './side';

/** Type and expiry of a key: `expiresAt` in ms of the server's own clock, `none` without an expiry. */
export interface KeyState {
  readonly type: string;
  readonly expiresAt: number | 'none';
}

/** Type and expiry of each key; undefined where there is no such key. Exact to half of the time that the whole question takes the server. */
export async function readStates(
  side: Side,
  database: number,
  keys: readonly Buffer[],
): Promise<(KeyState | undefined)[]> {
  const replies = await side.ask(database, [
    ['TIME'],
    ...keys.map((key): Command => ['PTTL', key]),
    ['TIME'],
    ...keys.map((key): Command => ['TYPE', key]),
  ]);
  const now = (timeOf(replies[0]) + timeOf(replies[keys.length + 1])) / 2;
  return keys.map((_, at) => {
    const left = Number(replies[at + 1]);
    const type = String(replies[keys.length + 2 + at]);
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
  const replies = await side.ask(database, [
    ['TIME'],
    ...hashes.map(({ key, fields }): Command => {
      return ['HPTTL', key, 'FIELDS', fields.length, ...fields.map((field) => Buffer.from(field, 'latin1'))];
    }),
    ['TIME'],
  ]);
  const now = (timeOf(replies[0]) + timeOf(replies.at(-1))) / 2;
  return hashes.map(({ fields }, at) => {
    const times = replies[at + 1];
    const found = new Map<string, number>();
    if (!Array.isArray(times)) return found;
    for (const [index, left] of times.entries()) {
      if (Number(left) >= 0) found.set(fields[index]!, now + Number(left));
    }
    return found;
  });
}
