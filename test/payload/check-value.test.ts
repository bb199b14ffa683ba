import { BadPayloadError } from '../../src/payload/byte-reader';
import { checkValue } from '../../src/payload/check-value';
import { Output } from '../../src/payload/output';
import { PayloadGate } from '../../src/payload/payload-gate';
import { writeBytes } from '../../src/payload/rdb-string';
import { Workspace } from '../../src/payload/workspace';
import { modulePayload, stamp } from '../tools/payloads';

const space = new Workspace();

function isGood(body: Buffer): boolean {
  try {
    checkValue(body, 0, body.length, space);
    return true;
  } catch (error) {
    if (error instanceof BadPayloadError) return false;
    throw error;
  }
}

const text = (value: string) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value, 'latin1')]);
const bytes = (...values: number[]) => Buffer.from(values);
const value = (type: number, ...parts: (Buffer | string)[]) =>
  Buffer.concat([bytes(type), ...parts.map((part) => (typeof part === 'string' ? text(part) : part))]);

function listpack(...elements: (string | number)[]): string {
  const packed = elements.map((element) =>
    typeof element === 'number'
      ? String.fromCharCode(element, 1)
      : `${String.fromCharCode(0x80 | element.length)}${element}${String.fromCharCode(1 + element.length)}`,
  );
  const body = packed.join('');
  const head = Buffer.alloc(6);
  head.writeUInt32LE(body.length + 7);
  head.writeUInt16LE(elements.length, 4);
  return `${head.toString('latin1')}${body}\xff`;
}

function ziplist(...elements: string[]): string {
  let before = 0;
  let last = 10;
  let body = '';
  for (const element of elements) {
    last = 10 + body.length;
    body += `${String.fromCharCode(before, element.length)}${element}`;
    before = 2 + element.length;
  }
  const head = Buffer.alloc(10);
  head.writeUInt32LE(body.length + 11);
  head.writeUInt32LE(last, 4);
  head.writeUInt16LE(elements.length, 8);
  return `${head.toString('latin1')}${body}\xff`;
}

const double = (number: number) => {
  const eight = Buffer.alloc(8);
  eight.writeDoubleLE(number);
  return eight;
};
const intset = (...numbers: number[]) =>
  Buffer.concat([bytes(2, 0, 0, 0, numbers.length, 0, 0, 0), ...numbers.map((n) => bytes(n & 255, n >> 8))]).toString(
    'latin1',
  );
const id = (ms: number, sequence: number) => {
  const sixteen = Buffer.alloc(16);
  sixteen.writeBigUInt64BE(BigInt(ms));
  sixteen.writeBigUInt64BE(BigInt(sequence), 8);
  return sixteen;
};
/** One entry 1-1 of one field, and what else the head says. */
const node = ({ there = 1, gone = 0, lastFields = 4 } = {}) =>
  listpack(there, gone, 1, 'f', 0, 2, 0, 0, 'v', lastFields);
const nodes = (listpacks: string) => Buffer.concat([bytes(1), text(id(1, 1).toString('latin1')), text(listpacks)]);
/** Length, last id, and what a version 15 has behind: groups. */
const stream = (packed: string, length: number, lastMs: number, groups: Buffer) =>
  Buffer.concat([bytes(15), nodes(packed), bytes(length, lastMs, 1), groups]);
const time = Buffer.alloc(8);
const pending = Buffer.concat([id(1, 1), time, bytes(1)]);
const group = (inGroup: Buffer[], ...consumers: [name: string, own: Buffer[]][]) =>
  Buffer.concat([
    text('g'),
    bytes(1, 1, inGroup.length),
    ...inGroup,
    bytes(consumers.length),
    ...consumers.flatMap(([name, own]) => [text(name), time, bytes(own.length), ...own]),
  ]);
const groups = (...each: Buffer[]) => Buffer.concat([bytes(each.length), ...each]);

it.each<[string, Buffer]>([
  ['a string', value(0, 'x')],
  ['a compressed string', value(0, bytes(0xc3, 5, 10, 0, 0x61, 0xe0, 0, 0))],
  ['a list', value(1, bytes(1), 'x')],
  ['a list in a ziplist', value(10, ziplist('a', 'bb'))],
  ['a list in nodes', value(18, bytes(2, 2), listpack('a', 5), bytes(1), 'alone')],
  ['a set', value(2, bytes(2), 'a', 'b')],
  ['numbers', value(11, intset(1, 2, 300))],
  ['a sorted set', value(5, bytes(2), 'a', double(1), 'b', double(-Infinity))],
  ['an old sorted set', value(3, bytes(3), 'a', '1.5', 'b', bytes(254), 'c', bytes(255))],
  ['a packed sorted set', value(17, listpack('a', 1, 'b', '1.5', 'c', 'inf'))],
  ['a hash', value(4, bytes(1), 'a', 'b')],
  ['a packed hash', value(16, listpack('a', 1, 'b', 'c'))],
  ['a zipmap', value(9, '\x01\x01a\x02\x00bb\xff')],
  ['a stream', stream(node(), 1, 1, bytes(0))],
  ['a stream with an entry pending', stream(node(), 1, 1, groups(group([pending], ['c', [id(1, 1)]])))],
  ['a value of a module', modulePayload('ReJSON-RL', 9).subarray(0, -10)],
])('%s is what a server writes', (_, body) => {
  expect(isGood(body)).toBe(true);
  for (let end = 0; end < body.length; end++) expect(isGood(body.subarray(0, end))).toBe(false);
  expect(isGood(Buffer.concat([body, bytes(0)]))).toBe(false);
});

it.each<[string, Buffer]>([
  ['an unknown type', value(8, 'x')],
  ['of a pre-release', value(6, 'x')],
  ['with a string of an unknown kind', value(0, bytes(0xc4, 1))],
  ['compressed beyond what can be', value(0, bytes(0xc3, 4, 0x80, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0))],
  ['compressed to nothing', value(0, bytes(0xc3, 0, 0))],
  ['an empty list', value(1, bytes(0))],
  ['an empty node', value(18, bytes(1, 2), listpack())],
  ['an unknown node', value(18, bytes(1, 3), listpack('a'))],
  ['an empty set', value(2, bytes(0))],
  ['a member twice', value(2, bytes(2), 'a', 'a')],
  ['a member twice, once as a number', value(20, listpack('7', 7))],
  ['numbers twice', value(11, intset(1, 1))],
  ['a number too many', value(11, `${intset(1, 2)}\0\0`)],
  ['a score that is none', value(5, bytes(1), 'a', double(NaN))],
  ['an old score that is none', value(3, bytes(1), 'a', bytes(253))],
  ['a packed score that is none', value(17, listpack('a', 'nan'))],
  ['scores that are not in order', value(17, listpack('a', 2, 'b', 1))],
  ['a member without score', value(17, listpack('a', 2, 'b'))],
  ['a member twice', value(17, listpack('a', 2, 'a', 3))],
  ['a field twice', value(4, bytes(2), 'a', 'b', 'a', 'c')],
  ['a field without value', value(13, ziplist('a', 'b', 'c'))],
  ['a packed field twice', value(16, listpack('a', 1, 'a', 2))],
  ['a zipmap of more than it says', value(9, '\x02\x01a\x02\x00bb\xff')],
  ['fewer elements than are told', value(16, listpack('a', 1).replace('\x02', '\x04'))],
  ['a stream of more than it has', stream(node(), 2, 1, bytes(0))],
  ['a node of more than it has', stream(node({ there: 2 }), 2, 1, bytes(0))],
  ['a node with a deleted one that is none', stream(node({ there: 0, gone: 1 }), 0, 1, bytes(0))],
  ['an entry of more elements', stream(node({ lastFields: 5 }), 1, 1, bytes(0))],
  ['a last id before the last entry', stream(node(), 1, 0, bytes(0))],
  ['a group twice', stream(node(), 1, 1, groups(group([]), group([])))],
  ['pending with nobody', stream(node(), 1, 1, groups(group([pending])))],
  ['pending with two', stream(node(), 1, 1, groups(group([pending], ['c', [id(1, 1)]], ['d', [id(1, 1)]])))],
  ['pending twice', stream(node(), 1, 1, groups(group([pending, pending], ['c', [id(1, 1)]])))],
  ['a consumer twice', stream(node(), 1, 1, groups(group([], ['c', []], ['c', []])))],
])('a value that is %s is none', (_, body) => {
  expect(isGood(body)).toBe(false);
});

it('what is damaged, or not as servers write it, is not written anew: its key goes by commands', () => {
  const gate = new PayloadGate(
    { software: 'redis', version: '8.0.2', modules: [] },
    { software: 'redis', version: '6.0.16', modules: [], versions: [[6, 9]] },
  );
  const passes = (payload: Buffer) => typeof gate.prepare(payload, Date.now) === 'object';
  expect(passes(stamp(value(16, listpack('a', 1)), 12))).toBe(true);
  expect(passes(stamp(value(16, listpack('a', 1, 'b')), 12))).toBe(false);
  expect(passes(stamp(value(17, listpack('a', 'nan')), 12))).toBe(false);
  const damaged = stamp(value(16, listpack('a', 1)), 12);
  damaged[10] = 0x62;
  expect(passes(damaged)).toBe(false);
});

it('an element that becomes long when it is unpacked is one like any other', () => {
  const size = 17 << 20;
  const packed = new Output();
  writeBytes(packed, Buffer.alloc(size, 'a'), 0, size, true);
  const long = Buffer.from(packed.bytes.subarray(0, packed.length));
  expect(long.length).toBeLessThan(size / 50);
  for (const body of [
    value(1, bytes(1), long),
    value(2, bytes(1), long),
    value(4, bytes(1), 'f', long),
    value(5, bytes(1), long, double(1)),
  ]) {
    expect(isGood(body)).toBe(true);
    expect(isGood(body.subarray(0, -1))).toBe(false);
  }
});
