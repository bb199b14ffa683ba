import { makePhases, phasesWithFormerNames, type Phase } from '../../src/migration/phases';
import type { MigrationRow } from '../../src/migration/rows';
import { getFindings, getRanges, getReport } from '../../src/api/read-migrations';
import { storageClients } from '../../src/ledger/storage-clients';
import { ensureRows, rangesOf, startMigration } from '../../src/start/start-migration';
import { startPhase } from '../../src/tally/start-phase';
import { visitMigration } from '../../src/tally/tally-visit';
import { workOnRange } from '../../src/work/range-worker';
import { aRequest } from '../tools/rows';
import { Stage } from '../tools/stage';
import type { TestApp } from '../tools/test-app';
import type { TestServer } from '../tools/test-server';

const KEYS = 12_000;
const stage = new Stage();
let source: TestServer;
let target: TestServer;
let app: TestApp;

beforeAll(async () => {
  [source, target] = await Promise.all([stage.side('redis-6.0'), stage.side('redis-8.0')]);
  app = await stage.testApp({ OLD: source, NEW: target });
});
beforeEach(async () => {
  await Promise.all([source.client.flushall(), target.client.flushall()]);
  await fill(source);
});
afterEach(async () => {
  for (const { id } of await app.ledger.migrations.list('open')) {
    await app.ledger.migrations.update(id, (row) => ({ ...row, state: 'cancelled', finishedAt: 'now' }));
  }
  await app.takeMessages();
});
afterAll(() => stage.clear());

const fill = ({ client }: TestServer) =>
  client.eval("for i = 1, ARGV[1] do redis.call('SET', 'key:' .. i, i) end", 0, KEYS);

const [copy, look] = makePhases(aRequest({ verify: 'full' }), false) as [Phase, Phase];
const [sync, extra] = makePhases(aRequest({ mode: 'sync', deleteExtra: true }), true) as [Phase, Phase];
const always: Phase = { ...look, when: { kind: 'always' } };

/** A migration whose plan has other phases than its request leads to. */
async function startWith(phases: readonly Phase[], request: Record<string, unknown> = {}): Promise<MigrationRow> {
  const { id } = await startMigration(aRequest(request), app);
  await app.takeMessages();
  const clients = storageClients(app.env);
  const ranges = clients.table('KeyferryRanges');
  for (const { name } of await app.ledger.ranges.list(id)) await ranges.deleteEntity(id, name);
  const changed = await app.ledger.migrations.update(id, (row) => ({
    ...row,
    plan: { ...row.plan, phases },
    phase: phases[0]!.name,
    state: 'planned',
    phasesWithRows: [],
  }));
  return await ensureRows(changed!, app);
}

/** What a migration was in, "phase/pass/epoch", from its first phase to its end. */
async function conduct(id: string, between: (phase: string) => Promise<unknown> = () => Promise.resolve()) {
  const course: string[] = [];
  for (;;) {
    const visit = (await visitMigration(id, app))!;
    if (visit.finished) return course;
    if (visit.due !== null) await startPhase(id, visit.due, app);
    const { phase, pass, epoch } = (await app.ledger.migrations.get(id))!;
    const messages = await app.takeMessages();
    if (messages.length === 0) continue;
    for (const message of messages) await workOnRange(message, app);
    const now = `${phase}/${pass}/${epoch}`;
    if (course.at(-1) !== now) course.push(now);
    if (visit.due !== null || course.length === 1) await between(now);
  }
}

describe('a plan', () => {
  it('with the same phase twice is walked twice: the second pass brings what the first one could not', async () => {
    const { id } = await startWith([sync, sync, always], { mode: 'sync' });
    const course = await conduct(id, async (now) => {
      if (now === 'sync/0/0') await source.client.mset({ 'key:1': 'changed', 'key:new': 'new' });
    });
    expect(course).toEqual(['sync/0/0', 'sync/1/1', 'look/0/1']);
    const report = await getReport(id, app);
    expect(report).toMatchObject({
      state: 'completed',
      counts: { copied: 2, same: KEYS - 1, failed: 0 },
      tally: { accountedKeys: KEYS + 1, missing: 0 },
    });
    expect(await target.client.mget('key:1', 'key:new')).toEqual(['changed', 'new']);
    const rows = await app.ledger.ranges.list(id, 'sync');
    expect(rows).toHaveLength(4);
    expect(rows.every(({ pass, epoch, state }) => pass === 1 && epoch === 1 && state === 'done')).toBe(true);
    expect(await getRanges(id, app)).toMatchObject({ phase: 'look', pass: 0, side: 'source' });
  });

  it('with a third phase of another work is walked in its order', async () => {
    const { id } = await startWith([copy, extra, sync, always], { mode: 'sync', deleteExtra: true });
    await target.client.set('only here', '1');
    const course = await conduct(id, async (now) => {
      if (now === 'extra/0/0') await source.client.set('key:2', 'changed');
    });
    expect(course).toEqual(['copy/0/0', 'extra/0/0', 'sync/0/0', 'look/0/0']);
    expect(await target.client.get('key:2')).toBe('changed');
    expect(await target.client.exists('only here')).toBe(0);
    expect(await getReport(id, app)).toMatchObject({ counts: { extra: 1, deleted: 1 }, tally: { missing: 0 } });
  });

  it('whose look comes twice forgets what the first one found, and leaves out the second where nothing asks for it', async () => {
    const doubtful: Phase = { ...look, when: { kind: 'inDoubt', otherData: 'values', byNumbers: false } };
    const { id } = await startWith([sync, always, sync, doubtful], { mode: 'sync' });
    const course = await conduct(id, async (now) => {
      if (now === 'sync/0/0') await target.client.del('key:1', 'key:2');
    });
    expect(course).toEqual(['sync/0/0', 'look/0/0', 'sync/1/1']);
    // The look was before the second pass: what it missed is there again, and nobody has looked since.
    expect(await target.client.exists('key:1', 'key:2')).toBe(2);
    expect(await getReport(id, app)).toMatchObject({ tally: { missing: null } });
  });

  it('begins a phase anew in the pass that it was in, when the source is another process', async () => {
    const { id } = await startWith([sync, sync], { mode: 'sync' });
    let messages = 0;
    for (;;) {
      const visit = (await visitMigration(id, app))!;
      if (visit.due !== null) {
        await startPhase(id, visit.due, app);
        break;
      }
      for (const message of await app.takeMessages()) await workOnRange(message, app);
    }
    await app.ledger.migrations.update(id, (row) => ({ ...row, walkedRunId: 'another' }));
    for (const message of await app.takeMessages()) {
      await workOnRange(message, app);
      messages++;
    }
    expect(messages).toBe(4);
    expect(await app.ledger.migrations.get(id)).toMatchObject({ phase: 'sync', pass: 1, epoch: 2 });
    expect(await conduct(id)).toEqual(['sync/1/2']);
    expect(await getReport(id, app)).toMatchObject({ state: 'completed', counts: { same: KEYS } });
  });
});

describe('a migration of a version before, which has no phases in its plan', () => {
  it.each<[string, Record<string, unknown>, string[]]>([
    ['compare', { mode: 'compare' }, ['copy/0/3', 'extra/0/3']],
    ['sync', { mode: 'sync', deleteExtra: true }, ['copy/0/3', 'extra/0/3']],
  ])('goes on by the names of then: %s', async (_, request, phases) => {
    await fill(target);
    await target.client.set('only here', '1');
    const { id, plan } = await startMigration(aRequest(request), app);
    await app.takeMessages();
    const former = phasesWithFormerNames(plan.request, true);
    const clients = storageClients(app.env);
    const [migrations, ranges] = [clients.table('KeyferryMigrations'), clients.table('KeyferryRanges')];
    for (const { name } of await app.ledger.ranges.list(id)) await ranges.deleteEntity(id, name);
    // Written as that version did.
    const { phases: _phases, ...planBefore } = plan;
    const { walks: _walks, ...courseBefore } = (await app.ledger.migrations.get(id))!.course;
    const { walkedRunId, pass: _pass, ...entity } = await migrations.getEntity('migration', id);
    await migrations.updateEntity(
      {
        ...entity,
        partitionKey: 'migration',
        rowKey: id,
        phase: 'copy',
        epoch: 3,
        sourceRunId: walkedRunId,
        course: JSON.stringify({ ...courseBefore, epochs: { copy: 3, extra: 3, look: 3 } }),
        plan0: JSON.stringify(planBefore),
        phasesWithRows: 'copy',
      },
      'Replace',
    );
    const read = (await app.ledger.migrations.get(id))!;
    expect(read).toMatchObject({ phase: 'copy', pass: 0, epoch: 3, walkedRunId, plan: { phases: former } });
    for (const row of rangesOf(read)) {
      await app.ledger.ranges.create([row]);
      const { pass: __, ...before } = await ranges.getEntity(id, row.name);
      await ranges.updateEntity({ ...before, partitionKey: id, rowKey: row.name }, 'Replace');
    }
    await app.ledger.findings.add([
      { migration: id, database: 0, key: Buffer.from('old'), code: 'missing', message: 'm', phase: 'copy', epoch: 2 },
    ]);
    await app.queue.send(rangesOf(read).map(({ name }) => ({ migration: id, range: name })));
    expect(await conduct(id)).toEqual(phases);
    expect(await getReport(id, app)).toMatchObject({ counts: { extra: 1 } });
    const found = (await getFindings(id, 10, undefined, app))?.findings.map(({ key }) => key);
    expect(found).not.toContain('old');
  });
});
