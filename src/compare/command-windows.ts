import { createHash } from 'node:crypto';
import type { Command, RedisPort, Reply } from '../redis/redis-port';
import { asBytes, asFields, asList, isKeyGone, throwErrors } from '../transfer/by-commands/replies';
import type { ValueWindow, WindowReader } from './value-prints';

/** As in fingerprint-values.lua: both must cut values into the same windows. */
const TEXT = 262_144;
const PARTS = 512;
const SPACE = 2 ** 52;

type Window = Omit<ValueWindow, 'type'>;
type Read = (port: RedisPort, key: Buffer, from: string) => Promise<Window>;

/** The same windows and fingerprints as fingerprint-values.lua makes, from values that are read: where scripts are not allowed. */
export function commandWindows(port: RedisPort): WindowReader {
  return async (keys, froms) => {
    const types = throwErrors(await port.pipeline(keys.map((key): Command => ['TYPE', key])));
    return await Promise.all(keys.map((key, i) => readWindow(port, key, text(types[i]), froms[i] ?? '')));
  };
}

async function readWindow(port: RedisPort, key: Buffer, type: string, from: string): Promise<ValueWindow> {
  const read = readers[type];
  if (read === undefined) return { type, next: '', print: '', expiringFields: 0 };
  try {
    return { type, ...(await read(port, key, from)) };
  } catch (error) {
    // Deleted, or of another type, since it was asked for its type: looked at again later.
    if (isKeyGone(error)) {
      return { type: 'none', next: '', print: '', expiringFields: 0 };
    }
    throw error;
  }
}

const readers: Readonly<Record<string, Read>> = {
  string: async (port, key, from) => {
    const start = Number(from);
    const part = asBytes(await port.call('GETRANGE', key, String(start), String(start + TEXT - 1)));
    return ordered(part.length === TEXT ? String(start + TEXT) : '', sha1(part));
  },
  list: async (port, key, from) => {
    const start = Number(from);
    const items = buffers(await port.call('LRANGE', key, String(start), String(start + PARTS - 1)));
    return ordered(items.length === PARTS ? String(start + PARTS) : '', sha1(joined(items)));
  },
  zset: async (port, key, from) => {
    const start = Number(from);
    const flat = buffers(await port.call('ZRANGE', key, String(start), String(start + PARTS - 1), 'WITHSCORES'));
    const texts = flat.map((part, i) => (i % 2 === 0 ? part : Buffer.from(spelled(Number(infinite(text(part)))))));
    return ordered(flat.length === 2 * PARTS ? String(start + PARTS) : '', sha1(joined(texts)));
  },
  set: async (port, key, from) => {
    const [cursor, members] = asList(await port.call('SSCAN', key, from === '' ? '0' : from, 'COUNT', String(PARTS)));
    return unordered(cursor, buffers(members).map(numberOf), 0);
  },
  hash: async (port, key, from) => {
    const [cursor, reply] = asList(await port.call('HSCAN', key, from === '' ? '0' : from, 'COUNT', String(PARTS)));
    const flat = buffers(reply);
    const names = flat.filter((_, i) => i % 2 === 0);
    const numbers = names.map((name, i) => numberOf(Buffer.concat([lengthOf(name), name, flat[2 * i + 1] ?? name])));
    return unordered(cursor, numbers, await expiringFields(port, key, names));
  },
  stream: async (port, key, from) => {
    if (from === '') return ordered('e', sha1(joined(await streamFacts(port, key))));
    const rest = from.slice(1);
    return from.startsWith('e') ? await entries(port, key, rest) : await pending(port, key, rest);
  },
};

async function streamFacts(port: RedisPort, key: Buffer): Promise<Buffer[]> {
  const [stream, groups] = throwErrors(
    await port.pipeline([
      ['XINFO', 'STREAM', key],
      ['XINFO', 'GROUPS', key],
    ]),
  );
  const facts = [asBytes(asFields(stream).get('last-generated-id'))];
  for (const group of asList(groups).map(asFields)) {
    const name = asBytes(group.get('name'));
    facts.push(Buffer.from('group'), name, asBytes(group.get('last-delivered-id')));
    for (const consumer of asList(await port.call('XINFO', 'CONSUMERS', key, name)).map(asFields)) {
      facts.push(asBytes(consumer.get('name')), Buffer.from(String(consumer.get('pending'))));
    }
  }
  return facts;
}

async function entries(port: RedisPort, key: Buffer, id: string): Promise<Window> {
  const count = String(PARTS + 1);
  const found = after(asList(await port.call('XRANGE', key, id === '' ? '-' : id, '+', 'COUNT', count)), id);
  const texts = found.flatMap(([entry, fields]) => [asBytes(entry), joined(buffers(fields))]);
  return ordered(found.length < PARTS ? 'p1:' : `e${text(found.at(-1)?.[0])}`, sha1(joined(texts)));
}

async function pending(port: RedisPort, key: Buffer, rest: string): Promise<Window> {
  const colon = rest.indexOf(':');
  const [number, id] = [Number(rest.slice(0, colon)), rest.slice(colon + 1)];
  const group = asList(await port.call('XINFO', 'GROUPS', key))[number - 1];
  if (group === undefined) return ordered('', '');
  const name = asBytes(asFields(group).get('name'));
  const reply = await port.call('XPENDING', key, name, id === '' ? '-' : id, '+', String(PARTS + 1));
  const found = after(asList(reply), id);
  const texts = found.map(([entry, owner, , times]) =>
    joined([asBytes(entry), asBytes(owner), Buffer.from(String(times))]),
  );
  const next = found.length < PARTS ? `p${number + 1}:` : `p${number}:${text(found.at(-1)?.[0])}`;
  return ordered(next, sha1(joined(texts)));
}

/** Redis 6.0 has no exclusive ranges: a window after the first begins with the last part of the one before. */
function after(parts: readonly Reply[], id: string): Reply[][] {
  const lists = parts.map(asList);
  return id !== '' && text(lists[0]?.[0]) === id ? lists.slice(1) : lists;
}

async function expiringFields(port: RedisPort, key: Buffer, names: readonly Buffer[]): Promise<number> {
  if (names.length === 0) return 0;
  const [reply] = await port.pipeline([['HPEXPIRETIME', key, 'FIELDS', String(names.length), ...names]]);
  // A server that knows no expiries of fields does not know the command. What else it refuses is no answer.
  if (reply instanceof Error && reply.asks === 'stop' && reply.kind !== 'unknownCommand') throw reply;
  return Array.isArray(reply) ? reply.filter((time) => typeof time === 'number' && time > 0).length : 0;
}

function ordered(next: string, print: string): Window {
  return { next, print, expiringFields: 0 };
}

function unordered(cursor: Reply | undefined, numbers: readonly number[], expiring: number): Window {
  const next = text(cursor);
  const sum = numbers.reduce((total, number) => (total + number) % SPACE, 0);
  return { next: next === '0' ? '' : next, print: sum.toFixed(0), expiringFields: expiring };
}

function sha1(bytes: Buffer): string {
  return createHash('sha1').update(bytes).digest('hex');
}

function numberOf(bytes: Buffer): number {
  return Number.parseInt(sha1(bytes).slice(0, 13), 16);
}

function lengthOf(bytes: Buffer): Buffer {
  return Buffer.from(`${bytes.length}:`);
}

function joined(texts: readonly Buffer[]): Buffer {
  return Buffer.concat(texts.flatMap((part) => [lengthOf(part), part]));
}

function infinite(score: string): string {
  return score.replace('inf', 'Infinity');
}

/** A score as C's "%.17g" spells it. */
export function spelled(score: number): string {
  if (score === 0) return '0';
  if (!Number.isFinite(score)) return score > 0 ? 'inf' : '-inf';
  const [digits = '', exponentText = '0'] = score.toExponential(16).split('e');
  const exponent = Number(exponentText);
  if (exponent >= -4 && exponent < 17) return trimmed(score.toFixed(Math.max(0, 16 - exponent)));
  const sign = exponent < 0 ? '-' : '+';
  return `${trimmed(digits)}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

function trimmed(digits: string): string {
  return digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits;
}

function buffers(reply: Reply | undefined): Buffer[] {
  return asList(reply).map(asBytes);
}

function text(reply: Reply | undefined): string {
  return Buffer.isBuffer(reply) ? reply.toString('latin1') : String(reply);
}
