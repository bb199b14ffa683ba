import { setTimeout as sleep } from 'node:timers/promises';
import { isFinal } from '../../src/migration/rows';
import { startMigration } from '../../src/start/start-migration';
import { Keeper } from '../../src/tally/keeper';
import { tendMigration } from '../../src/tally/tend';
import { workOnRange } from '../../src/work/range-worker';
import { aRequest } from '../tools/rows';
import { Stage } from '../tools/stage';
import { makeTestApp } from '../tools/test-app';
import { TcpProxy } from '../torture/tcp-proxy';

const KEYS = 12_000;
const AT_ONCE = 1_000;
const LONG_MS = 600_000;
const stage = new Stage();
afterAll(() => stage.clear());

it.each([
  ['completed', 0],
  ['completed', 4_000],
  ['cancelled', 4_000],
])(
  'a worker that was cut off writes nothing after the end: %s, and the storage is there %d ms after the target',
  async (state, laterMs) => {
    const [old, neu] = [await stage.side('redis-6.0'), await stage.side('redis-8.0')];
    const { connectionString } = await stage.storage();
    const portOf = (endpoint: string) =>
      Number(new RegExp(`${endpoint}=http://127\\.0\\.0\\.1:(\\d+)`).exec(connectionString)?.[1]);
    const endpoints = [portOf('TableEndpoint'), portOf('QueueEndpoint')];
    const [target, ...ways] = await Promise.all([neu.server.port, ...endpoints].map((port) => TcpProxy.start(port)));
    const [tables, queues] = ways;
    const settings = {
      ...{ KEYFERRY_CHECKPOINT_SECONDS: '0.5', KEYFERRY_SILENCE_SECONDS: '2' },
      REDIS_OLD: old.server.url,
    };
    const cut = await makeTestApp({
      ...settings,
      AzureWebJobsStorage: connectionString
        .replace(`:${endpoints[0]}/`, `:${tables!.port}/`)
        .replace(`:${endpoints[1]}/`, `:${queues!.port}/`),
      REDIS_NEW: neu.server.url.replace(String(neu.server.port), String(target!.port)),
    });
    const other = await makeTestApp({
      ...settings,
      AzureWebJobsStorage: connectionString,
      REDIS_NEW: neu.server.url,
    });
    const keeper = new Keeper(other);
    const inPieces = async <T>(work: (keys: readonly string[]) => Promise<T>): Promise<T[]> => {
      const results: T[] = [];
      for (let at = 0; at < KEYS; at += AT_ONCE) {
        results.push(await work(Array.from({ length: AT_ONCE }, (_, i) => `key:${at + i}`)));
      }
      return results;
    };
    const setAll = (side: typeof old, value: string) =>
      inPieces((keys) => side.client.mset(Object.fromEntries(keys.map((key) => [key, value]))));
    try {
      await setAll(old, `old ${'x'.repeat(2_000)}`);
      const { id } = await startMigration(aRequest(), cut);
      const [first] = await other.takeMessages();
      const work = workOnRange(first!, cut).then(() => 'ended', String);
      while ((await neu.client.dbsize()) < 300) await sleep(1);
      for (const way of [target!, ...ways]) way.refuse(LONG_MS);
      if (state === 'cancelled') {
        await other.ledger.migrations.update(id, (row) => ({ ...row, cancelRequested: true }));
      }
      for (let ended = false; !ended;) {
        keeper.wake();
        const messages = await other.takeMessages();
        await Promise.all(messages.map((message) => workOnRange(message, other)));
        await tendMigration(id, other);
        const row = await other.ledger.migrations.get(id);
        ended = row === undefined || isFinal(row);
        if (ended) expect(row?.state).toBe(state);
        await sleep(200);
      }
      // Applications have moved to the new server.
      await setAll(neu, 'new');
      target!.heal();
      await sleep(laterMs);
      for (const way of ways) way.heal();
      await Promise.race([work, sleep(15_000)]);
      const values = (await inPieces((keys) => neu.client.mget(...keys))).flat();
      expect(values.filter((value) => value !== 'new').length).toBe(0);
    } finally {
      await keeper.stop();
      for (const way of [target!, ...ways]) await way.close();
      for (const app of [cut, other]) app.connections.close();
    }
  },
);
