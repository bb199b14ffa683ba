import { Connections } from '../../src/redis/connections';
import { parseClientList } from '../../src/redis/client-list';
import { WriterList, WriterWatch } from '../../src/live/writers';
import { startTestServer, type TestServer } from '../tools/test-server';

const line = (id: number, fields: string) =>
  `id=${id} addr=10.0.0.${id}:5000 laddr=10.0.0.9:6379 fd=8 age=9 sub=0 qbuf=0 tot-mem=22298 user=default ${fields}`;

describe('who writes', () => {
  const list = () => new WriterList();

  it('are the clients whose last command may change keys, not long ago', () => {
    const told = list();
    told.see(
      parseClientList(
        [
          line(1, 'name=web idle=0 flags=N db=2 cmd=set'),
          line(2, 'name= idle=3 flags=N db=0 cmd=xgroup|create'),
          line(3, 'name=reader idle=0 flags=N db=0 cmd=get'),
          line(5, 'name=old idle=60 flags=N db=0 cmd=set'),
          line(6, 'name=script idle=1 flags=N db=0 cmd=evalsha'),
          line(7, 'name=keyferry-like idle=4 flags=N db=0 cmd=del'),
        ].join('\n'),
      ),
      0,
    );
    expect(told.told(0)).toEqual({
      clients: 6,
      writing: 4,
      latest: [
        { name: 'web', address: '10.0.0.1:5000', database: 2, command: 'set', secondsAgo: 0 },
        { name: 'script', address: '10.0.0.6:5000', database: 0, command: 'evalsha', secondsAgo: 1 },
        { name: '', address: '10.0.0.2:5000', database: 0, command: 'xgroup|create', secondsAgo: 3 },
        { name: 'keyferry-like', address: '10.0.0.7:5000', database: 0, command: 'del', secondsAgo: 4 },
      ],
    });
  });

  it('one that reads between its writes is remembered, and forgotten when it is gone or has stopped', () => {
    const told = list();
    told.see(parseClientList(line(1, 'name=web idle=0 flags=N db=0 cmd=set')), 0);
    told.see(parseClientList(line(1, 'name=web idle=0 flags=N db=0 cmd=get')), 1_000);
    expect(told.told(1_000).latest).toMatchObject([{ name: 'web', command: 'set', secondsAgo: 1 }]);
    expect(told.told(11_000)).toMatchObject({ clients: 1, writing: 0 });
    told.see([], 2_000);
    expect(told.told(2_000)).toEqual({ clients: 0, writing: 0, latest: [] });
  });

  it('is the master where the source is a replica of one', () => {
    const told = list();
    told.see(parseClientList(line(1, 'name= idle=0 flags=M db=0 cmd=ping')), 0);
    expect(told.told(0)).toMatchObject({ writing: 1 });
  });
});

describe.each(['redis-6.0', 'redis-8.0', 'valkey-8.1'] as const)('on %s', (name) => {
  let side: TestServer;
  let connections: Connections;
  beforeAll(async () => {
    side = await startTestServer(name);
    const url = new URL(side.server.url);
    await side.client.call('ACL', 'SETUSER', 'narrow', 'on', '>x', '~*', '+@all', '-client');
    url.username = 'narrow';
    url.password = 'x';
    connections = new Connections({ REDIS_OLD: side.server.url, REDIS_NARROW: url.href }, 'keyferry-aaaaaa-00ff00');
  });
  afterAll(async () => {
    connections.close();
    await side.close();
  });

  it('tells a client that writes', async () => {
    await side.client.call('CLIENT', 'SETNAME', 'shop');
    await side.client.set('a', 'secret');
    const watch = new WriterWatch('OLD', { connections });
    await watch.look('2026-01-01T00:00:00Z');
    expect(watch.seen).toMatchObject({ untold: false, writing: 1, latest: [{ name: 'shop', command: 'set' }] });
    expect(JSON.stringify(watch.seen)).not.toContain('secret');
    // Another process of the same app is none, one of another app is.
    const [own, other] = [await side.connect(), await side.connect()];
    await own.call('CLIENT', 'SETNAME', 'keyferry-aaaaaa-123456');
    await own.call('SET', 'a', 'x');
    await other.call('CLIENT', 'SETNAME', 'keyferry-bbbbbb-123456');
    await other.call('SET', 'a', 'x');
    const again = new WriterWatch('OLD', { connections });
    await again.look('2026-01-01T00:00:00Z');
    expect(again.seen?.latest.map((writer) => writer.name).sort()).toEqual(['keyferry-bbbbbb-123456', 'shop']);
  });

  it('says so where it may not be asked', async () => {
    const watch = new WriterWatch('NARROW', { connections });
    await watch.look('2026-01-01T00:00:00Z');
    expect(watch.seen).toMatchObject({ untold: true, clients: 0, writing: 0 });
  });
});
