import type { PayloadTarget } from '../../src/payload/payload-server';
import { PayloadGate } from '../../src/payload/payload-gate';
import { FOOTER_BYTES, payloadVersionOf } from '../../src/payload/footer';
import { fillOdd } from '../tools/fill-odd';
import { dumpAll } from '../tools/payloads';
import type { ServerName } from '../../local/servers/server-names';
import { startTestServer, type TestServer } from '../tools/test-server';
import type { Sample } from './mutate';

/** Larger ones would mostly be changed where it does not matter. */
const LARGEST = 3_000;
const FAR = 4_102_444_800_000;

/** Small values of every type and version that there is: as servers dump them, compressed and not, and as older ones did. */
export async function collectSamples(names: readonly ServerName[]): Promise<Sample[]> {
  const found = await Promise.all(
    names.map(async (name) => {
      const server = await startTestServer(name);
      try {
        return await samplesOf(server);
      } finally {
        await server.close();
      }
    }),
  );
  return [...old(), ...found.flat()];
}

async function samplesOf(server: TestServer): Promise<Sample[]> {
  const { client, name } = server;
  await fillOdd(server.server, { databases: [0] });
  for (const key of await client.keysBuffer('*'))
    if (!/^(string|list|set|zset|hash|stream):/.test(key.toString('latin1'))) await client.del(key);
  await fillSmall(server);
  const samples: Sample[] = [];
  for (const compression of ['yes', 'no']) {
    await client.config('SET', 'rdbcompression', compression);
    for (const { payload } of await dumpAll(server)) {
      if (payload.length <= LARGEST) samples.push(sampleOf(payload));
    }
  }
  if (name !== 'redis-8.0') return samples;
  // What Valkey 9 writes for hashes whose fields expire.
  const valkey: PayloadTarget = {
    software: 'valkey',
    version: '9.1.2',
    modules: [],
    versions: [
      [6, 11],
      [80, 80],
    ],
  };
  const gate = new PayloadGate({ software: 'redis', version: '8.0.2', modules: [] }, valkey);
  for (const { payload } of await dumpAll(server)) {
    if (payload[0] !== 24 && payload[0] !== 25) continue;
    const ready = gate.prepare(payload, Date.now);
    if (typeof ready === 'object' && 'payload' in ready && payload.length <= LARGEST)
      samples.push(sampleOf(ready.payload));
  }
  return samples;
}

async function fillSmall({ client, name }: TestServer): Promise<void> {
  await client.rpush('small:list', 'a', '1', '-70000', 'text of some length', '9223372036854775807');
  await client.rpush('small:repeats', ...Array.from({ length: 30 }, () => 'again and again'));
  await client.sadd('small:set', 'a', '1', 'bb', '-5');
  await client.sadd('small:intset', 1, 2, 300, 70_000);
  await client.hset('small:hash', 'a', '1', 'b', 'text', '3', '-70000', 'c', '');
  await client.hset(
    'small:hash:repeats',
    ...Array.from({ length: 20 }, (_, i) => [`field ${i}`, 'again and again']).flat(),
  );
  await client.zadd('small:zset', 1, 'a', 2.5, 'b', '-inf', 'c', 1e300, 'd');
  for (let i = 1; i < 6; i++) await client.xadd('small:stream', `${i}-${i}`, 'a', 'b', `f${i % 2}`, `${i}`);
  await client.xgroup('CREATE', 'small:stream', 'group', '0');
  await client.call('XREADGROUP', 'GROUP', 'group', 'one', 'COUNT', '2', 'STREAMS', 'small:stream', '>');
  await client.call('XREADGROUP', 'GROUP', 'group', 'two', 'COUNT', '1', 'STREAMS', 'small:stream', '>');
  await client.xdel('small:stream', '4-4');
  await client.config('SET', 'hash-max-ziplist-entries', 0);
  await client.config('SET', 'zset-max-ziplist-entries', 0);
  await client.hset('plain:hash', 'a', '1', 'b', 'text', 'c', 'again and again and again and again');
  await client.zadd('plain:zset', 1, 'a', 2.5, 'b', '-inf', 'c');
  await client.sadd('plain:set', ...Array.from({ length: 20 }, (_, i) => `${'m'.repeat(66)}${i}`));
  if (name === 'redis-6.0') return;
  await client.call('DEBUG', 'QUICKLIST-PACKED-THRESHOLD', '30b');
  await client.rpush('alone:list', 'a', 'longer than the others, so that it stands alone', 'b', 'x'.repeat(100));
  await client.call('DEBUG', 'QUICKLIST-PACKED-THRESHOLD', '0');
  if (name !== 'redis-8.0') return;
  for (const key of ['small:hash', 'plain:hash']) {
    await client.copy(key, `${key}:expiring`);
    await client.call('HPEXPIREAT', `${key}:expiring`, FAR, 'FIELDS', '1', 'a');
  }
}

function sampleOf(payload: Buffer): Sample {
  return { body: Buffer.from(payload.subarray(0, -FOOTER_BYTES)), version: payloadVersionOf(payload) };
}

/** What servers up to 3.0 wrote, and every server still reads. */
function old(): Sample[] {
  const text = (bytes: string) => Buffer.concat([Buffer.from([bytes.length]), Buffer.from(bytes, 'latin1')]);
  const zipmap = '\x02\x01a\x02\x00bb\x03ccc\x01\x02d\0\0\xff';
  const ziplist = '\x13\0\0\0\x10\0\0\0\x03\0\0\x01a\x03\xf3\x02\xfe\x7f\xff';
  const bodies = [
    [Buffer.from([1, 3]), text('a'), text('bb'), Buffer.from([0xc0, 7])],
    [Buffer.from([2, 3]), text('a'), text('bb'), Buffer.from([0xc1, 7, 7])],
    [Buffer.from([3, 3]), text('a'), text('1.5'), text('b'), Buffer.from([254]), text('c'), text('-3')],
    [Buffer.from([4, 2]), text('a'), text('1.5'), text('b'), Buffer.from([0xc2, 7, 8, 9, 10])],
    [Buffer.from([9]), text(zipmap)],
    [Buffer.from([10]), text(ziplist)],
  ];
  return bodies.map((parts) => ({ body: Buffer.concat(parts), version: 9 }));
}
