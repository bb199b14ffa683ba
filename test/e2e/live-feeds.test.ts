import { setTimeout as sleep } from 'node:timers/promises';
import type { MigrationReport } from '../../src/migration/report';
import type { AppProcess } from '../tools/app-process';
import { startLiveWriter } from '../tools/live-writer';
import { startProxy, type Proxy } from '../../local/servers/proxy';
import { compareServers, digestOfLiving, Stage, type Side } from '../tools/stage';
import { fill } from './support/fill';

/** What writers write: `SEED=7 npx jest test/e2e/live-feeds`. */
const seed = Number(process.env.SEED ?? 1);
/** Longer than half a silence: whoever follows must have stopped meanwhile. */
const FROZEN_MS = 4_000;
/** What each piece takes on its way to the slow target. */
const SLOW_MS = 40;

const stage = new Stage();
let app: AppProcess;
let slow: Proxy;
const sides = {} as Record<'NOTIFIES' | 'REDIRECTS' | 'TRACKS' | 'N' | 'R' | 'T', Side>;

beforeAll(async () => {
  const names = { NOTIFIES: 'redis-7.0', REDIRECTS: 'redis-6.0', TRACKS: 'valkey-8.1' } as const;
  for (const [name, server] of Object.entries(names)) sides[name as keyof typeof names] = await stage.side(server);
  for (const name of ['N', 'R'] as const) sides[name] = await stage.side('redis-7.0');
  sides.T = await stage.side('valkey-8.1');
  await sides.NOTIFIES.client.config('SET', 'notify-keyspace-events', 'EA');
  await sides.REDIRECTS.client.call('ACL', 'SETUSER', 'resp2', 'on', '>x', '~*', '+@all', '-hello');
  slow = await startProxy(Number(new URL(sides.T.server.url).port), (client, server) => {
    client.on('data', (chunk) => setTimeout(() => server.write(chunk), SLOW_MS));
    server.pipe(client);
  });
  const resp2 = new URL(sides.REDIRECTS.server.url);
  [resp2.username, resp2.password] = ['resp2', 'x'];
  app = await stage.app({
    ...stage.connections(sides),
    REDIS_REDIRECTS: resp2.href,
    REDIS_T: slow.url,
    KEYFERRY_SILENCE_SECONDS: '3',
    KEYFERRY_CHECKPOINT_SECONDS: '1',
  });
});

afterAll(async () => {
  await slow.close();
  await stage.clear();
});

const inStep = ({ live }: MigrationReport) => live?.phase === 'live' && live.notReady === null;

it('each feed, and a slow target, follow while storage is away for a while, and prove the cut-over', async () => {
  const pairs = [
    { source: 'NOTIFIES', target: 'N', feed: 'notifications' },
    { source: 'REDIRECTS', target: 'R', feed: 'redirect' },
    { source: 'TRACKS', target: 'T', feed: 'tracking' },
  ] as const;
  const followed = await Promise.all(
    pairs.map(async ({ source, target, feed }, i) => {
      await fill(sides[source], 2_000);
      const writer = await startLiveWriter(sides[source].server, { perSecond: 300, seed: seed + i });
      const live = { feed: feed === 'notifications' ? feed : 'auto' };
      const id = await app.migrate({ source, target, mode: 'live', force: true, live });
      expect((await app.reportWhen(id, inStep)).live?.feed).toBe(feed);
      return { id, source: sides[source], target: sides[target], writer };
    }),
  );
  const storage = app.azurite()?.pid ?? 0;
  expect(storage).toBeGreaterThan(0);
  process.kill(storage, 'SIGSTOP');
  await sleep(FROZEN_MS);
  process.kill(storage, 'SIGCONT');
  // What notifications do not tell.
  const [notified] = followed;
  await app.reportWhen(notified!.id, inStep);
  const before = (await app.report(notified!.id)).live?.gaps ?? 0;
  await notified!.source.client.flushall();
  await app.reportWhen(notified!.id, ({ live }) => (live?.gaps ?? 0) > before);
  await Promise.all(
    followed.map(async ({ id, source, target, writer }) => {
      await app.reportWhen(id, inStep);
      expect((await app.request('POST', `/api/migrations/${id}/cutover`)).status).toBe(202);
      await writer.stop();
      expect(await app.finished(id)).toMatchObject({ state: 'completed', findings: 0 });
      expect(await compareServers(source, target)).toMatchObject({ differences: [] });
      expect(await digestOfLiving(target)).toBe(await digestOfLiving(source));
    }),
  );
});
