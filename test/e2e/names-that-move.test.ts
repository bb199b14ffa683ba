import { setTimeout as sleep } from 'node:timers/promises';
import type { MigrationReport } from '../../src/migration/report';
import type { AppProcess } from '../tools/app-process';
import { startProxy, type Proxy } from '../../local/servers/proxy';
import { callsOf, Stage, type Side } from '../tools/stage';
import { fill } from './support/fill';

const stage = new Stage();
let app: AppProcess;
let old: Side;
let neu: Side;
/** What the names of both sides lead to. */
let leadsTo: Record<'OLD' | 'NEW', Side>;
let proxies: Record<'OLD' | 'NEW', Proxy>;

beforeAll(async () => {
  [old, neu] = await Promise.all([stage.side('redis-7.0'), stage.side('redis-7.0')]);
  leadsTo = { OLD: old, NEW: neu };
  const proxy = (name: 'OLD' | 'NEW') =>
    startProxy(
      () => leadsTo[name].server.port,
      (client, server) => {
        client.pipe(server);
        server.pipe(client);
      },
    );
  proxies = { OLD: await proxy('OLD'), NEW: await proxy('NEW') };
  app = await stage.app({
    REDIS_OLD: proxies.OLD.url,
    REDIS_NEW: proxies.NEW.url,
    KEYFERRY_SILENCE_SECONDS: '3',
    KEYFERRY_CHECKPOINT_SECONDS: '1',
  });
});

afterAll(async () => {
  await stage.clear();
  await Promise.all(Object.values(proxies).map((proxy) => proxy.close()));
});

beforeEach(async () => {
  await app.cancelAll();
  leadsTo = { OLD: old, NEW: neu };
  for (const proxy of Object.values(proxies)) proxy.cut();
  await Promise.all([old, neu].map(({ client }) => client.flushall()));
});

const inStep = ({ live }: MigrationReport) => live?.phase === 'live' && live.notReady === null;

/** Has a name lead to the other server, which clients write to all the time: nothing that they write may be lost. */
async function move(name: 'OLD' | 'NEW', id: string, cut: readonly ('OLD' | 'NEW')[] = [name]): Promise<void> {
  const other = name === 'OLD' ? neu : old;
  let written = 0;
  let lost = 0;
  const writer = stage.writer(other, async (client) => {
    written++;
    const pipeline = client.pipeline();
    for (let i = 0; i < 100; i++) pipeline.incr(`counter:${i}`).del(`comes:${i}`).set(`comes:${i}`, 'x');
    await pipeline.exec();
    lost += 100 - (await client.exists(...Array.from({ length: 100 }, (_, i) => `comes:${i}`)));
  });
  await sleep(300);
  const restored = await callsOf(other, 'restore');
  const from = written;
  leadsTo[name] = other;
  for (const each of cut) proxies[each].cut();
  const report = await app.finished(id);
  while (written < from + 100) await sleep(50);
  await writer.stop();
  expect(report).toMatchObject({
    state: 'failed',
    cause: expect.stringContaining('lead to the same server') as string,
  });
  const counters = await other.client.mget(Array.from({ length: 100 }, (_, i) => `counter:${i}`));
  expect({ lost, counters: [...new Set(counters)] }).toEqual({ lost: 0, counters: [String(written)] });
  if (name === 'NEW') expect(await callsOf(other, 'restore')).toBe(restored);
}

it.each(['OLD', 'NEW'] as const)('a source is not followed into itself: %s leads to the other side', async (name) => {
  await fill(old, 500);
  const id = await app.migrate({ source: 'OLD', target: 'NEW', mode: 'live' });
  await app.reportWhen(id, inStep);
  await move(name, id);
});

it.each(['OLD', 'NEW'] as const)('a source is not copied into itself: %s leads to the other side', async (name) => {
  await fill(old, 50_000);
  const id = await app.migrate({ source: 'OLD', target: 'NEW', mode: 'copy', limits: { keysPerSecond: 2_000 } });
  await app.reportWhen(id, ({ counts }) => counts.copied > 0);
  await move(name, id, ['OLD', 'NEW']);
});

it('keys are not deleted from what was the source, where the target leads to it', async () => {
  await fill(old, 2_000);
  await fill(neu, 50_000);
  const sync = { mode: 'sync', deleteExtra: true, force: true, onConflict: 'replace', limits: { keysPerSecond: 500 } };
  const id = await app.migrate({ source: 'OLD', target: 'NEW', ...sync });
  await app.reportWhen(id, ({ counts }) => counts.scanned > 0);
  await move('NEW', id);
});
