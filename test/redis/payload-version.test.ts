import { replyError } from '../../src/redis/errors';
import { payloadVersionOf } from '../../src/payload/footer';
import { emptyPayload, restorableVersions, writtenVersion } from '../../src/redis/payload-version';
import type { RedisPort } from '../../src/redis/redis-port';
import { crc64 } from '../tools/payloads';
import { onEveryServer, startTestServer } from '../tools/test-server';

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

  it('finds the payloads that RESTORE takes, and leaves no key and no change', async () => {
    const port = await at().connect();
    const before = await at().client.info('persistence');
    expect(await restorableVersions(port)).toEqual([[6, VERSIONS[at().name]]]);
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
      await expect(restorableVersions(await at().connect())).rejects.toMatchObject({ kind: 'outOfMemory' });
    } finally {
      await client.config('SET', 'maxmemory', '0');
    }
  });
});

describe('versions that are not all up to a newest one', () => {
  it('are found on a real server: Valkey 8.1 that is told to be less strict', async () => {
    const it = await startTestServer('valkey-8.1');
    try {
      await it.client.config('SET', 'rdb-version-check', 'relaxed');
      expect(await restorableVersions(await it.connect())).toEqual([
        [6, 11],
        [80, 100],
      ]);
    } finally {
      await it.close();
    }
  });

  /** Answers RESTORE as a server that takes some versions. */
  const serverThatTakes = (taken: (version: number) => boolean, others: string): RedisPort => ({
    call: () => Promise.resolve(null),
    pipeline: (commands) =>
      Promise.resolve(
        commands.map(([, , , payload]) =>
          taken(payloadVersionOf(payload as Buffer))
            ? replyError('NEW', 'ERR Bad data format')
            : replyError('NEW', others),
        ),
      ),
  });

  it('are found one by one: Valkey 9 takes those to 11, and 80', async () => {
    const valkey9 = (version: number) => version <= 11 || version === 80;
    expect(
      await restorableVersions(serverThatTakes(valkey9, 'ERR DUMP payload version or checksum are wrong')),
    ).toEqual([
      [6, 11],
      [80, 80],
    ]);
  });

  it('are none where RESTORE is refused, or its name is taken', async () => {
    for (const others of [
      "NOPERM this user has no permissions to run the 'restore' command",
      'BUSYKEY Target key name',
    ]) {
      expect(await restorableVersions(serverThatTakes(() => false, others))).toEqual([]);
    }
  });

  it('are asked for with keys that would not last', async () => {
    const ttls = new Set<unknown>();
    const port = serverThatTakes(() => true, '');
    await restorableVersions({
      ...port,
      pipeline: (commands) => {
        for (const command of commands) ttls.add(command[2]);
        return port.pipeline(commands);
      },
    });
    expect([...ttls]).toEqual(['1']);
  });
});
