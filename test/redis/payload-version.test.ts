import { crc64 } from '../../src/redis/crc64';
import {
  emptyPayload,
  newestRestorableVersion,
  payloadVersionOf,
  writtenVersion,
} from '../../src/redis/payload-version';
import { onEveryServer } from '../tools/test-server';

const VERSIONS = { 'redis-6.0': 9, 'redis-7.0': 10, 'redis-8.0': 12, 'valkey-8.1': 11 } as const;

it('has the checksum that Redis names in its own test', () => {
  expect(crc64(Buffer.from('123456789')).toString(16)).toBe('e9c6d914c4b8d9ca');
});

it('reads the version that it writes', () => {
  for (const version of [6, 12, 80, 300]) expect(payloadVersionOf(emptyPayload(version))).toBe(version);
});

onEveryServer((at) => {
  beforeEach(async () => {
    await at().client.flushall();
  });

  it('finds the newest payload that RESTORE takes, and leaves no key and no change', async () => {
    const port = await at().connect();
    const before = await at().client.info('persistence');
    expect(await newestRestorableVersion(port)).toBe(VERSIONS[at().name]);
    expect(await at().client.dbsize()).toBe(0);
    const changes = (text: string) => /rdb_changes_since_last_save:(\d+)/.exec(text)?.[1];
    expect(changes(await at().client.info('persistence'))).toBe(changes(before));
  });

  it('reads the version that DUMP writes, and whose checksum is the one computed here', async () => {
    const port = await at().connect();
    expect(await writtenVersion(port)).toBeUndefined();
    await at().client.set('a', 'value');
    expect(await writtenVersion(port)).toBe(VERSIONS[at().name]);
    const payload = (await port.call('DUMP', 'a')) as Buffer;
    expect(payload.readBigUInt64LE(payload.length - 8)).toBe(crc64(payload.subarray(0, -8)));
  });

  it('does not dump a huge key for it', async () => {
    const port = await at().connect();
    await at().client.set('huge', Buffer.alloc(2_000_000));
    expect(await writtenVersion(port)).toBeUndefined();
  });

  it('says nothing false of a full server: that passes', async () => {
    const { client } = at();
    await client.config('SET', 'maxmemory', '1');
    try {
      await expect(newestRestorableVersion(await at().connect())).rejects.toThrow(/^OOM/);
    } finally {
      await client.config('SET', 'maxmemory', '0');
    }
  });
});
