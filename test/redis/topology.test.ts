import { readRedirect } from '../../src/redis/errors';
import { keyOfCommand } from '../../src/redis/command-key';
import { parseTopology } from '../../src/redis/topology';
import type { Reply } from '../../src/redis/redis-port';

const node = (host: string | null, port: number): Reply => [
  host === null ? null : Buffer.from(host),
  port,
  Buffer.from('id'),
];

describe('CLUSTER SLOTS', () => {
  it('tells the owner of each slot, masters in the order of their slots, and replicas', () => {
    const topology = parseTopology(
      [
        [8_192, 16_383, node('b', 2), node('d', 4)],
        [0, 99, node('a', 1), node('c', 3)],
        [101, 8_191, node('a', 1), node('c', 3)],
      ],
      'seed',
    );
    expect(topology.masters).toMatchObject([
      {
        host: 'a',
        port: 1,
        slots: [
          [0, 99],
          [101, 8_191],
        ],
      },
      { host: 'b', port: 2, slots: [[8_192, 16_383]] },
    ]);
    expect(topology.replicas).toEqual([
      { host: 'd', port: 4, id: 'id' },
      { host: 'c', port: 3, id: 'id' },
    ]);
    expect([0, 99, 100, 101, 16_383].map((slot) => topology.ownerOf(slot)?.port)).toEqual([1, 1, undefined, 1, 2]);
  });

  it.each(['', '?', null])('a host told as %j is the one that answered', (host) => {
    expect(parseTopology([[0, 16_383, node(host, 7)]], 'seed').ownerOf(5)).toMatchObject({ host: 'seed', port: 7 });
  });

  it('further names of a node are those of its metadata', () => {
    const metadata = ['hostname', 'node.example', 'ip', '?'].map((text) => Buffer.from(text));
    const reply: Reply = [[0, 16_383, [Buffer.from('10.0.0.4'), 7, Buffer.from('id'), metadata]]];
    expect(parseTopology(reply, 'seed').ownerOf(5)).toMatchObject({ host: '10.0.0.4', otherHosts: ['node.example'] });
  });

  it.each<Reply>([
    null,
    'OK' as unknown as Reply,
    [[0]],
    [[0, 1]],
    [[0, 16_384, node('a', 1)]],
    [[5, 4, node('a', 1)]],
    [[0, 1, node('a', 0)]],
  ])('a reply of another form is no topology: %j', (reply) => {
    expect(() => parseTopology(reply, 'seed')).toThrow(/unexpected form/);
  });
});

it.each([
  ['MOVED 3999 127.0.0.1:6381', { kind: 'moved', slot: 3_999, host: '127.0.0.1', port: 6_381 }],
  ['ASK 16383 ::1:6381', { kind: 'ask', slot: 16_383, host: '::1', port: 6_381 }],
  ['MOVED 0 :6381', { kind: 'moved', slot: 0, host: '', port: 6_381 }],
  ['MOVED 16384 a:1', undefined],
  ['MOVED 1 a:0', undefined],
  ['MOVED 1 a:70000', undefined],
  ['MOVED', undefined],
  ['ERR MOVED 1 a:1', undefined],
])('"%s" sends on to %j', (reply, redirect) => {
  expect(readRedirect(reply)).toEqual(redirect);
});

it.each([
  [['GET', 'a'], 'a'],
  [['set', Buffer.from([0xff]), 'x'], Buffer.from([0xff])],
  [['MEMORY', 'USAGE', 'a'], 'a'],
  [['XGROUP', 'CREATE', 'a', 'g', '0'], 'a'],
  [['EVAL', 'return 1', '0', 'a'], undefined],
  [['EVALSHA', 'x', '2', 'a', 'b'], 'a'],
  [['XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '1', 'STREAMS', 'a', '>'], 'a'],
  [['TIME'], undefined],
  [['MULTI'], undefined],
  [['SCAN', '0'], undefined],
] as const)('the key of %j is %j', (command, key) => {
  expect(keyOfCommand(command as never)).toEqual(typeof key === 'string' ? Buffer.from(key) : key);
});
