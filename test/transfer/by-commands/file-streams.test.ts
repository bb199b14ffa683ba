import { writeKey } from '../../../src/payload/file-records';
import { Output } from '../../../src/payload/output';
import type { RedisPort } from '../../../src/redis/redis-port';
import { FILE_PORT, FilePort } from '../../../src/transfer/file-port';
import { copyOver, leftovers, lookAtStream, startSide, stopSide, type Side } from './support';

let from: Side;
let to: Side;

beforeAll(async () => {
  [from, to] = await Promise.all([startSide('redis-8.0'), startSide('redis-8.0')]);
});
beforeEach(async () => {
  await Promise.all([from, to].map(({ client }) => client.flushall()));
});
afterAll(async () => {
  await Promise.all([from, to].map(stopSide));
});

/** A stream of which groups have all entries pending. */
async function fill(groups: number, entries = 1_500): Promise<void> {
  const commands = from.client.pipeline();
  for (let i = 1; i <= entries; i++) commands.xadd('stream', `${i}-${i % 3}`, 'f', `${i}:${'x'.repeat(i % 50)}`);
  for (let group = 0; group < groups; group++) {
    commands.xgroup('CREATE', 'stream', `group ${group}`, '0');
    for (const consumer of ['one', 'two', 'one'])
      commands.xreadgroup('GROUP', `group ${group}`, consumer, 'COUNT', 600, 'STREAMS', 'stream', '>');
  }
  for (const [error] of (await commands.exec()) ?? []) if (error) throw error;
}

async function fileOf(key: string): Promise<FilePort> {
  const out = new Output();
  writeKey(out, Buffer.from(key), 0, (await from.client.callBuffer('DUMP', key)) as Buffer);
  const bytes = out.copy();
  return new FilePort(
    (start, length) => Promise.resolve(bytes.subarray(start, start + length)),
    () => [0, bytes.length],
  );
}

const copy = (port: RedisPort, key = 'stream') =>
  copyOver({ ...from, abilities: FILE_PORT }, to, port, to.port, key, {
    ...{ sourceIsStill: true, chunkBytes: 20_000, scripts: { source: false, target: true } },
  });

it.each([1, 10])('a stream of a file is whole where windows end with what is pending in %i groups', async (groups) => {
  await fill(groups, 800);
  expect(await copy(await fileOf('stream'))).toMatchObject({ kind: 'copied' });
  expect(await lookAtStream(to.client, 'stream')).toEqual(await lookAtStream(from.client, 'stream'));
});

it('of a stream that comes from a server no entry is asked for twice', async () => {
  await fill(10, 1_000);
  let entries = 0;
  const port: RedisPort = {
    call: (...command) => from.port.call(...command),
    pipeline: async (commands) => {
      const replies = await from.port.pipeline(commands);
      commands.forEach(([name], i) => (entries += name === 'XRANGE' ? (replies[i] as unknown[]).length : 0));
      return replies;
    },
  };
  const choices = { chunkBytes: 20_000, scripts: { source: true, target: true } };
  expect(await copyOver(from, to, port, to.port, 'stream', choices)).toMatchObject({ kind: 'copied' });
  expect(await lookAtStream(to.client, 'stream')).toEqual(await lookAtStream(from.client, 'stream'));
  expect(entries).toBe(1_000);
});

it('what a file gives otherwise than it says is never written over a key', async () => {
  await fill(1);
  await to.client.set('stream', 'what it had');
  const file = await fileOf('stream');
  const port: RedisPort = {
    call: (...command) => file.call(...command),
    pipeline: async (commands) =>
      (await file.pipeline(commands)).map((reply, i) =>
        commands[i]?.[0] === 'XRANGE' && Array.isArray(reply) ? reply.slice(1) : reply,
      ),
  };
  expect(await copy(port)).toMatchObject({ kind: 'failed', code: 'not-as-told' });
  expect(await to.client.get('stream')).toBe('what it had');
  expect(await leftovers(to)).toEqual([]);
});
