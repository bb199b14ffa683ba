import { BulkConnection } from '../../src/redis/bulk-connection';
import { readConnectionSettings } from '../../src/redis/connection-settings';
import { EncodedCommands } from '../../src/redis/encoded-command';
import type { Command } from '../../src/redis/redis-port';
import { onEveryServer, startTestServer } from '../tools/test-server';

onEveryServer((at) => {
  it('sends many commands in one piece and tells which were refused, by their places', async () => {
    const bulk = await at().bulk(3);
    await at().client.flushall();
    await at().client.select(3);
    await at().client.set('text', 'x');
    const commands = Array.from({ length: 20_000 }, (_, i): Command =>
      i % 5_000 === 7 ? ['LPUSH', 'text', 'x'] : ['SET', Buffer.from(`key:${i}`), Buffer.alloc(i % 300, i)],
    );
    const [first, second] = await Promise.all([
      bulk.sendAll(EncodedCommands.of(commands)),
      bulk.sendAll(EncodedCommands.of([['SET', 'last', 'x']])),
    ]);
    expect([...first.keys()]).toEqual([7, 5_007, 10_007, 15_007]);
    expect([...first.values()].every(({ kind }) => kind === 'wrongType')).toBe(true);
    expect(second.size).toBe(0);
    expect(await at().client.dbsize()).toBe(20_000 - 4 + 2);
    expect(await at().client.getBuffer('key:299')).toEqual(Buffer.alloc(299, 299));
    await at().client.select(0);
  });
});

describe('a connection for writing in bulk', () => {
  it('signs in, fails in the words of the server, and opens again after it was lost', async () => {
    const it = await startTestServer('redis-7.0', { password: 'pass word' });
    try {
      const connection = (url: string) =>
        new BulkConnection(readConnectionSettings('IT', { REDIS_IT: url }), 0, 'keyferry-test');
      const wrong = connection(it.server.url.replace(/:[^:@]*@/, ':wrong@'));
      await expect(wrong.ready()).rejects.toMatchObject({ kind: 'passwordWrong', connection: 'IT' });
      expect(wrong.runId).toBeUndefined();

      const bulk = connection(it.server.url);
      await bulk.ready();
      // Answered by nothing before the connection ends.
      const lost = bulk.sendAll(EncodedCommands.of([['BLPOP', 'none', '0']])).catch((error: unknown) => error);
      await it.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      expect(await lost).toMatchObject({ kind: 'connectionLost', connection: 'IT' });
      await bulk.ready();
      expect((await bulk.sendAll(EncodedCommands.of([['SET', 'a', 'b']]))).size).toBe(0);
      bulk.close();
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(bulk.runId).toBeUndefined();
    } finally {
      await it.close();
    }
  });

  it('tells a port where nothing listens, and a database that is not there', async () => {
    const it = await startTestServer('redis-6.0');
    try {
      const settings = readConnectionSettings('IT', { REDIS_IT: it.server.url });
      await expect(new BulkConnection(settings, 99, 'keyferry-test').ready()).rejects.toMatchObject({
        kind: 'noSuchDatabase',
      });
      await expect(new BulkConnection({ ...settings, port: 1 }, 0, 'keyferry-test').ready()).rejects.toMatchObject({
        kind: 'connectionRefused',
      });
    } finally {
      await it.close();
    }
  });
});
