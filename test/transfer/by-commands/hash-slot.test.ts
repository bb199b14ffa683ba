import fc from 'fast-check';

import { hashSlot, tagForSlotOf } from '../../../src/keyspace/hash-slot';
import { isTemporaryKey } from '../../../src/transfer/by-commands';
import { names, startSide, stopSide, type Side } from './support';

const oddKeys = [
  '',
  'plain',
  '{tag}rest',
  '{}abc',
  'a}b',
  '}{',
  '{',
  '}',
  '{}',
  '{}{x}',
  'foo{}{bar}',
  '{}a}',
  'a{b{c}d}e',
  '{{}}',
  'x{}y}',
  '{a',
  'ü{ß}',
  '{}}',
];

const arbitraryKey = fc.oneof(
  fc.uint8Array({ maxLength: 24 }).map((bytes) => Buffer.from(bytes)),
  fc.array(fc.constantFrom('{', '}', 'a', 'b'), { maxLength: 10 }).map((parts) => Buffer.from(parts.join(''))),
);

let cluster: Side;

beforeAll(async () => {
  cluster = await startSide('redis-7.0', ['--cluster-enabled', 'yes']);
});
afterAll(() => stopSide(cluster));

/** The slots as a real server in cluster mode gives them. */
async function realSlots(keys: readonly Buffer[]): Promise<number[]> {
  return (await cluster.port.pipeline(keys.map((key) => ['CLUSTER', 'KEYSLOT', key]))).map(Number);
}

const keys = [...oddKeys.map((key) => Buffer.from(key)), ...fc.sample(arbitraryKey, 1_000)];

it('hashSlot agrees with the server', async () => {
  expect(hashSlot(Buffer.from('123456789'))).toBe(0x31c3);
  expect(keys.map(hashSlot)).toEqual(await realSlots(keys));
});

describe('the name of a temporary key', () => {
  it('has the slot of the key that is built, and is known as temporary', async () => {
    const temporary = keys.map((key) => names.take(key).name);
    expect(await realSlots(temporary)).toEqual(await realSlots(keys));
    expect(temporary.every((key) => isTemporaryKey(key))).toBe(true);
    expect(keys.some((key) => isTemporaryKey(key))).toBe(false);
  });

  it('keeps the own tag, or the key as tag, where that can be', () => {
    expect(tagForSlotOf(Buffer.from('{tag}rest')).toString()).toBe('tag');
    expect(tagForSlotOf(Buffer.from('plain')).toString()).toBe('plain');
    expect(tagForSlotOf(Buffer.from('{open')).toString()).toBe('{open');
    expect(tagForSlotOf(Buffer.from('a}b')).toString()).toMatch(/^\d+$/);
  });
});
