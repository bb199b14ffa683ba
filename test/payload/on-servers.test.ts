import { ByteReader } from '../../src/payload/byte-reader';
import { checkValue } from '../../src/payload/check-value';
import { readHash } from '../../src/payload/collections';
import { FOOTER_BYTES, isIntact, payloadVersionOf } from '../../src/payload/footer';
import { PayloadGate, type Ready } from '../../src/payload/payload-gate';
import type { PayloadTarget } from '../../src/payload/payload-server';
import { skipValue } from '../../src/payload/skip-value';
import { Workspace } from '../../src/payload/workspace';
import { compareServers } from '../tools/compare-servers';
import { fillEdges } from '../tools/fill-edges';
import { fillOdd } from '../tools/fill-odd';
import { digestValues, dumpAll, gateBetween, restoreAll, stamp, type DumpedKey } from '../tools/payloads';
import { flush, serverNames, type ServerName } from '../tools/redis-servers';
import { startTestServer, type TestServer } from '../tools/test-server';

/* What real servers dump, made ready for every other one: each value must be there what it was. */

type OfEach<T> = Record<ServerName, T>;
let sources: OfEach<TestServer>;
let targets: OfEach<TestServer>;
let dumps: OfEach<readonly DumpedKey[]>;

async function onEach<T>(work: (name: ServerName) => Promise<T>): Promise<OfEach<T>> {
  const results = await Promise.all(serverNames.map(async (name) => [name, await work(name)] as const));
  return Object.fromEntries(results) as OfEach<T>;
}

beforeAll(async () => {
  [sources, targets] = await Promise.all([
    onEach((name) => startTestServer(name)),
    onEach((name) => startTestServer(name)),
  ]);
});
afterAll(async () => {
  await Promise.all([...Object.values(sources), ...Object.values(targets)].map((server) => server.close()));
});

const pairs = serverNames.flatMap((source) => serverNames.map((target) => [source, target] as const));
/** The later in this order, the more versions of payloads are written. */
const NEWEST: readonly ServerName[] = ['redis-6.0', 'redis-7.0', 'valkey-8.1', 'redis-8.0'];
/** Whose DIGEST-VALUE of a score is another than that of 7.2 and above, for the same score. */
const printsScoresLong = (name: ServerName) => name === 'redis-6.0' || name === 'redis-7.0';
const dropsExpiries = (source: ServerName, target: ServerName) => source === 'redis-8.0' && target !== 'redis-8.0';

/** Carries all that a source dumped over as the gate makes it ready, and says what was lost. */
async function carry(source: ServerName, target: ServerName): Promise<string[]> {
  const gate = await gateBetween(sources[source], targets[target]);
  const lost: string[] = [];
  await flush(targets[target].server);
  const ready = dumps[source].map(({ key, payload, ttl }): DumpedKey => {
    const before = Buffer.from(payload);
    const made = gate.prepare(payload, Date.now);
    if (made === 'by-commands' || !('payload' in made)) {
      throw new Error(`${key.toString('latin1')}: ${payload.subarray(0, 50).toString('hex')}`);
    }
    expect(payload.equals(before)).toBe(true);
    expect(isIntact(made.payload)).toBe(true);
    const { fieldExpiries, streamPast } = made.lost;
    if (fieldExpiries > 0 || streamPast) lost.push(`${key.toString('latin1')} ${streamPast ? 'past' : fieldExpiries}`);
    return { key, payload: made.payload, ttl };
  });
  await restoreAll(targets[target], ready);
  return lost.sort();
}

describe('every type in every encoding that a server has', () => {
  beforeAll(async () => {
    await onEach(async (name) => {
      await fillOdd(sources[name].server, { databases: [0] });
    });
    dumps = await onEach((name) => dumpAll(sources[name]));
  });

  const EXPIRING = [
    'hash:all-fields-expire 2',
    'hash:both-expiries 1',
    'hash:field-expiry 3',
    'hash:field-expiry-many 50',
  ];
  const PASTS = ['all-pending-deleted', 'counters', 'deleted', 'emptied', 'pending', 'trimmed'];

  it.each(pairs)('arrives as it was from %s to %s', async (source, target) => {
    const lost = await carry(source, target);
    const olderStreams = source !== 'redis-6.0' && target === 'redis-6.0';
    expect(lost).toEqual([
      ...(dropsExpiries(source, target) ? EXPIRING : []),
      ...(olderStreams ? PASTS.map((name) => `stream:${name} past`) : []),
    ]);
    if (source === target) return;
    const { differences } = await compareServers(sources[source].server, targets[target].server, {
      toleranceMs: 60_000,
      limit: 1_000,
    });
    const lostFields = dropsExpiries(source, target) ? 56 : 0;
    expect(differences.filter(({ kind }) => kind === 'field-expiry')).toHaveLength(lostFields);
    expect(differences.filter(({ kind }) => kind !== 'field-expiry').map(({ text }) => text)).toEqual([]);
  });
});

describe('values at the edges of their encodings', () => {
  beforeAll(async () => {
    await onEach(async (name) => {
      await flush(sources[name].server);
      await fillEdges(sources[name]);
    });
    dumps = await onEach((name) => dumpAll(sources[name]));
  });

  it.each(serverNames)('are read to their ends: %s', (name) => {
    const space = new Workspace();
    const types = new Set<number>();
    for (const { payload } of dumps[name]) {
      const end = payload.length - FOOTER_BYTES;
      types.add(payload[0] ?? 0);
      expect(isIntact(payload)).toBe(true);
      checkValue(payload, 0, end, space);
      const reader = new ByteReader(payload, 1, end);
      skipValue(reader, payload[0] ?? 0);
      expect(reader.at).toBe(end);
    }
    const common = [0, 2, 4, 5, 11];
    const of = {
      'redis-6.0': [...common, 12, 13, 14, 15],
      'redis-7.0': [...common, 16, 17, 18, 19],
      'redis-8.0': [...common, 16, 17, 18, 20, 21],
      'valkey-8.1': [...common, 16, 17, 18, 20, 21],
    };
    expect([...types].sort((a, b) => a - b)).toEqual(of[name]);
  });

  // Between others no payload is changed.
  it.each(pairs.filter(([source, target]) => NEWEST.indexOf(source) > NEWEST.indexOf(target)))(
    'arrive as they were from %s to %s',
    async (source, target) => {
      await carry(source, target);
      const keys = dumps[source].map(({ key }) => key);
      const [there, here] = [await digestValues(sources[source], keys), await digestValues(targets[target], keys)];
      const sameDigest = printsScoresLong(source) === printsScoresLong(target);
      const differing = keys.filter((_, i) => there[i] !== here[i]).map((key) => key.toString('latin1'));
      expect(differing.filter((key) => sameDigest || !key.includes('zset:scores'))).toEqual([]);
      expect(there).not.toContain('0'.repeat(40));
    },
  );
});

describe('hashes whose fields expire', () => {
  const redis8: PayloadTarget = { software: 'redis', version: '8.0.2', modules: [], versions: [[6, 12]] };
  const valkey9: PayloadTarget = {
    software: 'valkey',
    version: '9.1.2',
    modules: [],
    versions: [
      [6, 11],
      [80, 80],
    ],
  };
  const redis6: PayloadTarget = { software: 'redis', version: '6.0.16', modules: [], versions: [[6, 9]] };
  const ready = (source: PayloadTarget, target: PayloadTarget, payload: Buffer, now = 0): Ready => {
    const made = new PayloadGate(source, target).prepare(payload, () => now);
    if (made === 'by-commands' || !('payload' in made)) throw new Error('it is not sent');
    return made;
  };
  const FAR = 4_102_444_800_000;
  let hashes: readonly DumpedKey[];

  beforeAll(async () => {
    const { client, server } = sources['redis-8.0'];
    await flush(server);
    await fillOdd(server, { databases: [0] });
    hashes = (await dumpAll(sources['redis-8.0'])).filter(({ payload: [type] }) => type === 24 || type === 25);
    expect(new Set(hashes.map(({ payload: [type] }) => type))).toEqual(new Set([24, 25]));
    expect(await client.call('HPEXPIRETIME', 'hash:field-expiry', 'FIELDS', '1', 'goes')).toEqual([FAR + 123]);
  });

  it('go to Valkey 9 and back with nothing lost', async () => {
    const { client, server } = targets['redis-8.0'];
    await flush(server);
    const returned = hashes.map(({ key, payload, ttl }) => {
      const there = ready(redis8, valkey9, payload);
      expect([there.payload[0], payloadVersionOf(there.payload), there.lost.fieldExpiries]).toEqual([22, 80, 0]);
      checkValue(there.payload, 0, there.payload.length - FOOTER_BYTES, new Workspace());
      const back = ready(valkey9, redis8, there.payload);
      expect([back.payload[0], payloadVersionOf(back.payload), back.lost.fieldExpiries]).toEqual([24, 12, 0]);
      return { key, payload: back.payload, ttl };
    });
    await restoreAll(targets['redis-8.0'], returned);
    for (const { key } of hashes) {
      const fields = await sources['redis-8.0'].client.hkeysBuffer(key);
      const question = ['HPEXPIRETIME', key, 'FIELDS', String(fields.length), ...fields] as const;
      expect(await client.call(...question)).toEqual(await sources['redis-8.0'].client.call(...question));
      expect(await client.hgetallBuffer(key)).toEqual(await sources['redis-8.0'].client.hgetallBuffer(key));
    }
  });

  it('stand as Valkey 9 writes them', () => {
    // "a" stays, which is -1, and "b" has a moment.
    const body = Buffer.from('1602' + '01610131' + 'ffffffffffffffff' + '01620132' + '7b80832cbb030000', 'hex');
    const back = ready(valkey9, redis8, stamp(body, 80));
    const fields: unknown[] = [];
    const reader = new ByteReader(back.payload, 1, back.payload.length - FOOTER_BYTES);
    readHash(reader, 24, new Workspace(), (name, value, expiry) => {
      fields.push([name.copy().toString(), value.copy().toString(), expiry]);
    });
    expect(fields).toEqual([
      ['a', '1', undefined],
      ['b', '2', Number(body.readBigInt64LE(body.length - 8))],
    ]);
    expect(ready(redis8, valkey9, back.payload).payload).toEqual(stamp(body, 80));
    // Where no field expires nothing is lost.
    const plain = Buffer.from('160101610131ffffffffffffffff', 'hex');
    expect(ready(valkey9, redis6, stamp(plain, 80))).toEqual({
      payload: stamp(Buffer.from('040101610131', 'hex'), 9),
      lost: { fieldExpiries: 0, streamPast: false },
    });
  });

  it('do not keep for ever on an older server what has expired on the way', async () => {
    const { client, server } = targets['redis-6.0'];
    await flush(server);
    const { payload, key } = hashes.find((each) => each.key.toString() === 'hash:field-expiry')!;
    const made = ready(redis8, redis6, payload, FAR + 123);
    expect(made.lost.fieldExpiries).toBe(1);
    await restoreAll(targets['redis-6.0'], [{ key, payload: made.payload, ttl: 0 }]);
    expect(await client.hgetall(key)).toEqual({ stays: '1', 'goes too': '3' });
    const all = hashes.find((each) => each.key.toString() === 'hash:all-fields-expire')!;
    expect(new PayloadGate(redis8, redis6).prepare(all.payload, () => FAR)).toBe('by-commands');
  });
});
