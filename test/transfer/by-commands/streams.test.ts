import type { Redis } from 'ioredis';

import { hasStreamFacts } from '../../../src/transfer/by-commands/abilities';
import type { Loss } from '../../../src/transfer/by-commands';
import { forEveryPair } from './pairs';
import { copy, deliveryTimes, leftovers, look, lookAtStream, streamFacts } from './support';

forEveryPair((sides) => {
  /** Copies the stream and compares all that both servers can hold. */
  const copied = async (key: string, chunkBytes = 1024 * 1024): Promise<Loss['kind'][]> => {
    const { from, to } = sides();
    const outcome = await copy(from, to, key, { chunkBytes });
    if (outcome.kind !== 'copied') throw new Error(JSON.stringify(outcome));
    expect(await look(to, key)).toEqual(await look(from, key));
    if (hasStreamFacts(from.abilities) && hasStreamFacts(to.abilities)) {
      expect(await streamFacts(to, key)).toEqual(await streamFacts(from, key));
    }
    const [wanted, made] = await Promise.all([deliveryTimes(from, key), deliveryTimes(to, key)]);
    wanted.forEach((time, at) => {
      expect(Math.abs(time - made[at]!)).toBeLessThanOrEqual(10);
    });
    expect(await leftovers(to)).toEqual([]);
    return outcome.losses.map(({ kind }) => kind);
  };

  /** The loss of facts that only an older target has. */
  const lostFacts = (): Loss['kind'][] => {
    const { from, to } = sides();
    return hasStreamFacts(from.abilities) && !hasStreamFacts(to.abilities) ? ['stream-facts'] : [];
  };

  const fill = async (client: Redis, key: string, from: number, to: number): Promise<void> => {
    const pipeline = client.pipeline();
    for (let at = from; at <= to; at++) pipeline.xadd(key, `${at}-${at % 3}`, 'n', at, 'text', 'x'.repeat(at % 50));
    await pipeline.exec();
  };

  it('plain entries, with a last id above them', async () => {
    const { client } = sides().from;
    await fill(client, 'plain', 1, 5_000);
    expect(await copied('plain', 10_000)).toEqual([]);
    await client.call('XSETID', 'plain', '7000-5');
    expect(await copied('plain', 10_000)).toEqual([]);
    await client.xadd(
      'binary',
      '18446744073709551615-18446744073709551614',
      Buffer.from([0, 255, 10]),
      Buffer.from([13, 0]),
      '',
      '',
    );
    expect(await copied('binary')).toEqual([]);
  });

  it('an empty stream, never filled or emptied', async () => {
    const { client } = sides().from;
    await client.xgroup('CREATE', 'never filled', 'g', '$', 'MKSTREAM');
    expect(await copied('never filled')).toEqual([]);
    await client.xgroup('CREATE', 'without groups', 'g', '$', 'MKSTREAM');
    await client.xgroup('DESTROY', 'without groups', 'g');
    expect(await copied('without groups')).toEqual([]);
    await fill(client, 'deleted', 1, 3);
    await client.xdel('deleted', '1-1', '2-2', '3-0');
    expect(await copied('deleted')).toEqual(lostFacts());
    await fill(client, 'trimmed', 1, 3);
    await client.xtrim('trimmed', 'MAXLEN', 0);
    expect(await copied('trimmed')).toEqual(lostFacts());
  });

  it('holes and trimmed entries', async () => {
    const { client } = sides().from;
    await fill(client, 'holes', 1, 1_000);
    await client.xdel('holes', '500-2', '1000-1', '1-1');
    await client.xtrim('holes', 'MAXLEN', 900);
    expect(await copied('holes', 3_000)).toEqual(lostFacts());
  });

  it('groups with consumers, pending entries and counts of deliveries', async () => {
    const { client } = sides().from;
    await fill(client, 'groups', 1, 2_000);
    await client.xgroup('CREATE', 'groups', 'fresh', '$');
    await client.xgroup('CREATE', 'groups', 'busy', '0');
    await client.xgroup('CREATE', 'groups', 'an other', '50-2');
    await client.xreadgroup('GROUP', 'busy', 'alice', 'COUNT', 700, 'STREAMS', 'groups', '>');
    await client.xreadgroup('GROUP', 'busy', 'bob', 'COUNT', 600, 'STREAMS', 'groups', '>');
    await client.xreadgroup('GROUP', 'an other', 'alice', 'COUNT', 10, 'STREAMS', 'groups', '>');
    await client.xack('groups', 'busy', '1-1', '2-2', '900-0');
    await client.xclaim('groups', 'busy', 'carol', 0, '10-1', '11-2', 'TIME', 1_600_000_000_123, 'RETRYCOUNT', 17);
    await client.xreadgroup('GROUP', 'busy', 'bob', 'COUNT', 5, 'STREAMS', 'groups', '0');
    // A consumer that has nothing pending, and one whose name is bytes.
    await client.xreadgroup('GROUP', 'fresh', 'idle', 'COUNT', 1, 'STREAMS', 'groups', '>');
    await client.xreadgroup('GROUP', 'fresh', Buffer.from([255, 0]), 'COUNT', 1, 'STREAMS', 'groups', '0');
    expect(await copied('groups', 4_000)).toEqual(['consumer-times']);
  });

  it('deliveries that are too many to be told exactly', async () => {
    const { client } = sides().from;
    await fill(client, 'great', 1, 3);
    await client.xgroup('CREATE', 'great', 'g', '0');
    await client.xreadgroup('GROUP', 'g', 'c', 'COUNT', 3, 'STREAMS', 'great', '>');
    await client.xclaim('great', 'g', 'c', 0, '1-1', '2-2', 'RETRYCOUNT', '9007199254740993');
    expect(await copied('great')).toEqual(['consumer-times', 'stream-facts']);
  });

  it('pending entries whose messages are deleted: trimmed in front, in the middle, at the end', async () => {
    const { client } = sides().from;
    await fill(client, 'deleted', 1, 1_000);
    for (const group of ['one', 'two']) {
      await client.xgroup('CREATE', 'deleted', group, '0');
      await client.xreadgroup('GROUP', group, 'c', 'COUNT', 1_000, 'STREAMS', 'deleted', '>');
    }
    await client.xack('deleted', 'two', '3-0', '400-1');
    await client.xtrim('deleted', 'MAXLEN', 700);
    expect(await copied('deleted', 2_000)).toEqual([...(['consumer-times'] as const), ...lostFacts()]);
    await client.xdel('deleted', '400-1', '401-2', '999-0', '1000-1');
    expect(await copied('deleted', 2_000)).toEqual([...(['consumer-times'] as const), ...lostFacts()]);
    await client.xtrim('deleted', 'MAXLEN', 0);
    expect(await copied('deleted', 2_000)).toEqual([...(['consumer-times'] as const), ...lostFacts()]);
  });

  it('entries from a byte to a megabyte', async () => {
    const { client } = sides().from;
    for (let at = 1; at <= 40; at++)
      await client.xadd('mixed', `${at}-1`, 'f', Buffer.alloc(at % 10 === 0 ? 1_000_000 : at));
    expect(await copied('mixed', 50_000)).toEqual([]);
  });

  it('goes on working in the target', async () => {
    const { from, to } = sides();
    await fill(from.client, 'live', 1, 10);
    await from.client.xgroup('CREATE', 'live', 'g', '0');
    await from.client.xreadgroup('GROUP', 'g', 'c', 'COUNT', 4, 'STREAMS', 'live', '>');
    await copied('live');
    await to.client.xadd('live', '11-0', 'a', 'b');
    const read = await to.client.xreadgroup('GROUP', 'g', 'c', 'COUNT', 100, 'STREAMS', 'live', '>');
    expect(JSON.stringify(read)).toContain('"5-2"');
    expect(JSON.stringify(read)).not.toContain('"4-1"');
    expect(await to.client.xack('live', 'g', '4-1', '11-0')).toBe(2);
    expect(await lookAtStream(to.client, 'live')).toMatchObject({ length: 11, lastId: '11-0' });
  });
});
