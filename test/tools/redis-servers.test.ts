import {
  digest,
  flush,
  keyCounts,
  redis4Snapshot,
  serverNames,
  serverStartTimeout,
  useTestServers,
} from './redis-servers';

const servers = useTestServers();

test.each(serverNames)(
  '%s loads the Redis 4 snapshot, whole',
  async (name) => {
    const server = await servers.startWithSnapshot(name);
    expect(await keyCounts(server)).toEqual(redis4Snapshot.keys);
    expect(Object.values(redis4Snapshot.keys).reduce((sum, keys) => sum + keys)).toBe(redis4Snapshot.total);
    expect(await digest(server)).toBe(redis4Snapshot.digest(name));
    await flush(server);
    expect(await keyCounts(server.port)).toEqual({});
    expect(await digest(server.port)).toBe('0'.repeat(40));
  },
  serverStartTimeout,
);
