import { isDeepStrictEqual } from 'node:util';
import { isContinuation } from '../../src/ledger/findings';
import { Ledger } from '../../src/ledger/ledger';
import { SeenRanges } from '../../src/ledger/seen-ranges';
import { rangeName } from '../../src/migration/rows';
import { LostRowError } from '../../src/ledger/range-rows';
import { RANGES_QUEUE, RangeQueue } from '../../src/ledger/range-queue';
import type { Finding } from '../../src/migration/rows';
import { storageClients, type StorageClients } from '../../src/ledger/storage-clients';
import { noCounts } from '../../src/migration/counts';
import { firstSnapshot } from '../../src/migration/report';
import type { Plan } from '../../src/migration/plan';
import { aMigration, aPlan, aRange, aRequest, plainTarget } from '../tools/rows';
import { startTestStorage, type TestStorage } from '../tools/test-storage';

let storage: TestStorage;
let clients: StorageClients;
let ledger: Ledger;
let ids = 0;
const freshId = () => `migration-${++ids}-${Date.now()}`;

beforeAll(async () => {
  storage = await startTestStorage();
  clients = storageClients({ AzureWebJobsStorage: storage.connectionString });
  ledger = new Ledger(clients);
  expect(await ledger.migrations.get('before there is a table')).toBeUndefined();
  await Promise.all([ledger.ensure(), new Ledger(clients).ensure()]);
});
afterAll(async () => {
  await storage.close();
});

describe('plan rows', () => {
  it('come back as they were written, with texts of any length and script', async () => {
    const request = aRequest({ select: { match: Array.from({ length: 64 }, (_, i) => `${i}${'🗝é'.repeat(300)}`) } });
    const row = aMigration({ id: freshId(), plan: aPlan({ request, warnings: ['\u0000\u001f\ud800 "quoted"'] }) });
    expect(await ledger.migrations.create(row)).toBe(true);
    const { etag, ...found } = (await ledger.migrations.get(row.id))!;
    const { etag: _, ...written } = row;
    // What is undefined is not there.
    expect(isDeepStrictEqual(found, JSON.parse(JSON.stringify(written)))).toBe(true);
    expect(etag).not.toBe('');
  });

  it('of an earlier version tell what a converter found, which had a field of its own', async () => {
    const id = freshId();
    const { conversions: _, ...plan } = aPlan({ request: aRequest({ convert: ['aspnet-session-v5'] }) });
    const facts = { sessions: 3, byApplication: { '/Shop': 3 }, locked: 1, inVersion5: 0, complete: true };
    await ledger.migrations.create(aMigration({ id, plan: { ...plan, sessions: facts } as unknown as Plan }));
    expect((await ledger.migrations.get(id))?.plan.conversions).toEqual([{ name: 'aspnet-session-v5', facts }]);
    const without = freshId();
    await ledger.migrations.create(aMigration({ id: without, plan: plan as Plan }));
    expect((await ledger.migrations.get(without))?.plan.conversions).toEqual([]);
  });

  it('of a migration between large clusters come back, whose run ids are longer than a property of the storage', async () => {
    const runId = Array.from({ length: 384 }, (_, i) => String(i).padStart(40, 'a')).join('+');
    const row = aMigration({ id: freshId(), plan: aPlan({ target: { ...plainTarget, runId } }) });
    expect(JSON.stringify(row.course).length).toBeGreaterThan(32_768);
    const proved = { source: row.course.source, target: row.course.target, targetKeys: 1 };
    const wayBack = { migration: null, refused: null, trouble: null, proved, attempt: null };
    await ledger.migrations.create({ ...row, wayBack });
    const found = await ledger.migrations.get(row.id);
    expect([found?.course, found?.wayBack]).toEqual([row.course, wayBack]);
    // What is short again by then leaves nothing of the longer one behind.
    const short = aMigration({ id: row.id }).course;
    await ledger.migrations.update(row.id, (now) => ({ ...now, course: short, wayBack: undefined }));
    const after = await ledger.migrations.get(row.id);
    expect([after?.course, after?.wayBack]).toEqual([short, undefined]);
  });

  it('are created once', async () => {
    const row = aMigration({ id: freshId() });
    expect(await ledger.migrations.create(row)).toBe(true);
    expect(await ledger.migrations.create({ ...row, state: 'failed' })).toBe(false);
    expect((await ledger.migrations.get(row.id))?.state).toBe('running');
  });

  it('lose no change of several at once', async () => {
    const id = freshId();
    await ledger.migrations.create(aMigration({ id }));
    const add = () => ledger.migrations.update(id, (row) => ({ ...row, epoch: row.epoch + 1 }));
    await Promise.all([add(), add(), add(), add(), add()]);
    expect((await ledger.migrations.get(id))?.epoch).toBe(5);
  });

  it('stay as they are when the change is none, and are not made by changing', async () => {
    const id = freshId();
    await ledger.migrations.create(aMigration({ id }));
    const before = await ledger.migrations.get(id);
    expect(await ledger.migrations.update(id, () => undefined)).toEqual(before);
    expect((await ledger.migrations.get(id))?.etag).toBe(before?.etag);
    expect(await ledger.migrations.update('unknown', (row) => row)).toBeUndefined();
  });

  it('are listed all, or those that have not ended', async () => {
    const [open, ended] = [freshId(), freshId()];
    await ledger.migrations.create(aMigration({ id: open }));
    await ledger.migrations.create(
      aMigration({ id: ended, state: 'completed', finishedAt: '2026-01-01T00:00:00.000Z' }),
    );
    const idsOf = async (which: 'all' | 'open') => (await ledger.migrations.list(which)).map(({ id }) => id);
    expect(await idsOf('all')).toEqual(expect.arrayContaining([open, ended]));
    expect(await idsOf('open')).toContain(open);
    expect(await idsOf('open')).not.toContain(ended);
  });

  it('that never began can be taken back, also twice', async () => {
    const id = freshId();
    await ledger.migrations.create(aMigration({ id }));
    await ledger.migrations.delete(id);
    await ledger.migrations.delete(id);
    expect(await ledger.migrations.get(id)).toBeUndefined();
  });

  it.each(["' or true or '", 'a/b', 'a\\b', 'a#b?c', '../x', '', 'é', 'x'.repeat(2_000), '%27', 'a\u0000b'])(
    'are not found by the hostile id %j, which does no harm',
    async (id) => {
      expect(await ledger.migrations.get(id)).toBeUndefined();
      expect(await ledger.snapshots.get(id)).toBeUndefined();
      expect(await ledger.ranges.get(id, id)).toBeUndefined();
      expect(await ledger.ranges.list(id)).toEqual([]);
      expect(await ledger.findings.list(id, 10, undefined)).toEqual({ findings: [], continuation: undefined });
      expect(await ledger.migrations.update(id, (row) => row)).toBeUndefined();
    },
  );
});

describe('a target', () => {
  const open = new Set<string>();
  const isOpen = ({ holder }: { readonly holder: string }) => Promise.resolve(open.has(holder));
  const claim = (target: string | readonly string[], id: string) => ledger.targets.claim([target].flat(), id, isOpen);

  it('is held by one migration until that has ended', async () => {
    const target = freshId();
    open.add('a').add('b');
    expect(await claim(target, 'a')).toBe('a');
    expect(await claim(target, 'a')).toBe('a');
    expect(await claim(target, 'b')).toBe('a');
    open.delete('a');
    expect(await claim(target, 'b')).toBe('b');
    expect(await claim(target, 'a')).toBe('b');
  });

  it('is held under all of its names or under none', async () => {
    const [one, two, three] = [freshId(), freshId(), freshId()];
    open.add('c').add('d');
    expect(await claim([one, two], 'c')).toBe('c');
    expect(await claim([three, two], 'd')).toBe('c');
    expect(await claim(three, 'c')).toBe('c');
    await ledger.targets.giveBack([one, two], 'd');
    expect(await claim(one, 'd')).toBe('c');
    await ledger.targets.giveBack([one, two, three], 'c');
    expect(await claim([three, two, one], 'd')).toBe('d');
  });

  it('goes to one at least of many that know it by names of which some are the same', async () => {
    const names = Array.from({ length: 5 }, freshId);
    const ids = names.map((name) => `round ${name}`);
    for (const id of ids) open.add(id);
    const holders = await Promise.all(ids.map((id, i) => claim([names[i]!, names[(i + 1) % 5]!], id)));
    const winners = ids.filter((id, i) => holders[i] === id);
    expect(winners.length).toBeGreaterThan(0);
    // Neighbours share a name.
    expect(ids.some((id, i) => winners.includes(id) && winners.includes(ids[(i + 1) % 5]!))).toBe(false);
  });

  it('goes to exactly one of many at once', async () => {
    const target = freshId();
    const names = ['a', 'b', 'c', 'd', 'e'];
    for (const name of names) open.add(name);
    const holders = await Promise.all(names.map((name) => claim(target, name)));
    expect(new Set(holders).size).toBe(1);
  });
});

describe('range rows', () => {
  it('come back as they were written', async () => {
    const migration = freshId();
    const counts = { ...noCounts, scanned: 2 ** 31, bytes: Number.MAX_SAFE_INTEGER };
    const row = aRange(3, {
      migration,
      state: 'active',
      cursor: '18446744073709551615',
      share: 0.1 + 0.2,
      counts,
      heartbeat: '2026-01-01T00:00:00.000Z',
      trouble: 'Connection "OLD": …',
      cause: null,
      generation: 2_147_483_647,
    });
    await ledger.ranges.create([row]);
    const { etag, ...found } = (await ledger.ranges.get(migration, row.name))!;
    const { etag: _, ...written } = row;
    expect(found).toEqual(written);
    expect(etag).not.toBe('');
  });

  it('are created by the hundred, and again without undoing what was done', async () => {
    const migration = freshId();
    const rows = Array.from({ length: 250 }, (_, i) => aRange(i, { migration }));
    await ledger.ranges.create(rows.slice(0, 130));
    const one = (await ledger.ranges.get(migration, 'copy-00007'))!;
    await ledger.ranges.replace({ ...one, state: 'done', share: 1 });
    await ledger.ranges.create(rows);
    const found = await ledger.ranges.list(migration);
    expect(found.map(({ number }) => number)).toEqual(rows.map(({ number }) => number));
    expect(found.filter(({ state }) => state === 'done').map(({ number }) => number)).toEqual([7]);
  });

  it('are listed by phase', async () => {
    const migration = freshId();
    await ledger.ranges.create([aRange(0, { migration }), aRange(1, { migration })]);
    await ledger.ranges.create([aRange(0, { migration, phase: 'look' })]);
    const namesOf = async (phase?: 'copy' | 'look') =>
      (await ledger.ranges.list(migration, phase)).map(({ name }) => name);
    expect(await namesOf('copy')).toEqual(['copy-00000', 'copy-00001']);
    expect(await namesOf('look')).toEqual(['look-00000']);
    expect(await namesOf()).toHaveLength(3);
  });

  it('are written only by who knows them as they are', async () => {
    const migration = freshId();
    await ledger.ranges.create([aRange(0, { migration })]);
    const [mine, other] = [
      (await ledger.ranges.get(migration, 'copy-00000'))!,
      (await ledger.ranges.get(migration, 'copy-00000'))!,
    ];
    const taken = await ledger.ranges.replace({ ...mine, generation: 1 });
    await expect(ledger.ranges.replace({ ...other, generation: 2 })).rejects.toThrow(LostRowError);
    const again = await ledger.ranges.replace({ ...taken, state: 'done' });
    expect(await ledger.ranges.get(migration, 'copy-00000')).toEqual(again);
  });

  it('hold the words of a server however long they are', async () => {
    const migration = freshId();
    const words = '🗝'.repeat(40_000);
    await ledger.ranges.create([aRange(0, { migration, cause: words, trouble: words })]);
    const row = await ledger.ranges.get(migration, 'copy-00000');
    expect(row?.cause?.startsWith('🗝🗝')).toBe(true);
    expect(row?.cause?.length).toBeLessThanOrEqual(1_000);
    const spoken = await ledger.ranges.replace({ ...row!, cause: 'ERR\n\u001b[31m', trouble: 'one\ntwo' });
    expect(await ledger.ranges.get(migration, 'copy-00000')).toEqual({
      ...spoken,
      cause: 'ERR\\n\\u001b[31m',
      trouble: 'one\\ntwo',
    });
  });
});

describe('findings', () => {
  const finding = (migration: string, key: Buffer | string, code: Finding['code'] = 'restore-refused'): Finding => ({
    migration,
    database: 3,
    key: Buffer.from(key),
    code,
    message: 'The server said "no" \u0000\u0007.',
  });

  it('keep keys byte by byte, empty, binary and long ones', async () => {
    const migration = freshId();
    const keys = [Buffer.alloc(0), Buffer.from([0x00, 0xff, 0x0a]), Buffer.from('ä🗝'), Buffer.alloc(40_000, 0x61)];
    await ledger.findings.add(keys.map((key) => finding(migration, key)));
    const { findings, continuation } = await ledger.findings.list(migration, 100, undefined);
    const longest = keys.map((key) => key.subarray(0, 32_768).toString('base64')).sort();
    expect(findings.map(({ key }) => key.toString('base64')).sort()).toEqual(longest);
    expect(findings[0]).toMatchObject({
      migration,
      database: 3,
      code: 'restore-refused',
      message: 'The server said "no" \\u0000\\u0007.',
    });
    expect(continuation).toBeUndefined();
  });

  it('are one for a key: a later one replaces the earlier', async () => {
    const migration = freshId();
    await ledger.findings.add([finding(migration, 'a'), finding(migration, 'b')]);
    await ledger.findings.add([finding(migration, 'a', 'lost-field-expiry')]);
    const { findings } = await ledger.findings.list(migration, 100, undefined);
    expect(findings.map(({ key, code }) => `${String(key)} ${code}`).sort()).toEqual([
      'a lost-field-expiry',
      'b restore-refused',
    ]);
  });

  it('are paged without losing or doubling one', async () => {
    const migration = freshId();
    await ledger.findings.add(Array.from({ length: 25 }, (_, i) => finding(migration, `key ${i}`)));
    const seen: string[] = [];
    let continuation: string | undefined;
    let pages = 0;
    do {
      const page = await ledger.findings.list(migration, 10, continuation);
      seen.push(...page.findings.map(({ key }) => String(key)));
      ({ continuation } = page);
      pages++;
    } while (continuation !== undefined);
    expect(pages).toBe(3);
    expect(new Set(seen).size).toBe(25);
    expect(seen).toHaveLength(25);
  });
});

describe('range rows as they are seen', () => {
  it('are read whole once, then those that were written since, and whole again where that is asked for', async () => {
    const migration = freshId();
    await ledger.ranges.create(Array.from({ length: 4 }, (_, i) => aRange(i, { migration })));
    let read = 0;
    const seen = new SeenRanges(
      {
        async *changedSince(...asked: Parameters<typeof ledger.ranges.changedSince>) {
          for await (const one of ledger.ranges.changedSince(...asked)) {
            read++;
            yield one;
          }
        },
      },
      () => ledger.now(),
    );
    const states = async (whole?: boolean) => {
      const { rows, isWhole } = await seen.list(migration, { whole: whole === true });
      return [isWhole, ...rows.map(({ number, state }) => `${number} ${state}`)];
    };
    const untouched = ['0 planned', '1 planned', '2 planned', '3 planned'];
    expect(await states()).toEqual([true, ...untouched]);
    expect(await states()).toEqual([false, ...untouched]);
    const row = (await ledger.ranges.get(migration, rangeName('copy', 2)))!;
    await ledger.ranges.replace({ ...row, state: 'active' });
    expect(await states()).toEqual([false, '0 planned', '1 planned', '2 active', '3 planned']);
    await clients.table('KeyferryRanges').deleteEntity(migration, rangeName('copy', 1));
    expect(await states(true)).toEqual([true, '0 planned', '2 active', '3 planned']);
    // Long after all that was written only what is new comes.
    const rows = Array.from({ length: 3 }, (_, i) => aRange(i, { migration, name: rangeName('copy', i) }));
    let now = 2_000;
    const later = new SeenRanges(
      {
        async *changedSince(_, since) {
          await Promise.resolve();
          for (const each of since === undefined ? rows : [{ ...rows[1]!, state: 'done' as const }]) {
            const { name, state } = each;
            yield { name, etag: state, writtenAt: state === 'done' ? 2_000 : 1_000, row: () => each };
          }
        },
      },
      () => now,
    );
    await later.list(migration);
    expect((await later.list(migration)).rows.map(({ state }) => state)).toEqual(['planned', 'done', 'planned']);
    expect((await later.list(migration)).isWhole).toBe(false);
    // The storage's clock was set back.
    now = -20_000;
    expect((await later.list(migration)).isWhole).toBe(true);
    expect(read).toBeGreaterThan(0);
  });

  it('are not missed where they are written while a long look goes on, nor forgotten by a whole one', async () => {
    const migration = freshId();
    const rows = Array.from({ length: 3 }, (_, i) => aRange(i, { migration, name: rangeName('copy', i) }));
    const asked: (number | undefined)[] = [];
    let now = 100_000;
    let during = (): Promise<void> => Promise.resolve();
    let told = rows.map((row) => ({ row, writtenAt: 90_000 }));
    const seen = new SeenRanges(
      {
        async *changedSince(_, since) {
          asked.push(since);
          for (const at of [0, 1, 2]) {
            const { row, writtenAt } = told[at]!;
            if (since !== undefined && writtenAt < since) continue;
            yield { name: row.name, etag: `${writtenAt} ${row.state}`, writtenAt, row: () => row };
            if (at !== 1) continue;
            const held = during;
            during = () => Promise.resolve();
            await held();
          }
        },
      },
      () => now,
    );
    await seen.list(migration);
    // A look of twenty seconds: its last row is written at its end, the first one again soon after it was read.
    during = () => {
      now = 120_000;
      told = [
        { row: { ...rows[0]!, state: 'done' }, writtenAt: 101_000 },
        { row: rows[1]!, writtenAt: 90_000 },
        { row: { ...rows[2]!, state: 'active' }, writtenAt: 120_000 },
      ];
      return Promise.resolve();
    };
    const states = async (whole = false) => (await seen.list(migration, { whole })).rows.map(({ state }) => state);
    await states();
    expect(await states()).toEqual(['done', 'planned', 'active']);
    expect(asked.at(-1)).toBeLessThanOrEqual(100_000);
    // A whole look that began before a shorter one ended.
    during = async () => {
      told = told.with(1, { row: { ...rows[1]!, state: 'done' }, writtenAt: 121_000 });
      await states();
    };
    expect((await states(true))[1]).toBe('done');
  });
});

describe('findings of ranges', () => {
  const finding = (migration: string, key: Buffer | string): Finding => ({
    migration,
    database: 3,
    key: Buffer.from(key),
    code: 'missing',
    message: 'The server said "no" \u0000\u0007.',
    phase: 'copy',
    epoch: 0,
  });
  const teller = (migration: string, range: number, generation: number) => ({
    ...aRange(range, { migration, database: 3, generation }),
  });
  const told = (migration: string, name: string, many: number) =>
    Array.from({ length: many }, (_, i) => finding(migration, `${name} ${i}`));

  it('keep keys byte by byte, empty, binary and long ones', async () => {
    const migration = freshId();
    const keys = [Buffer.alloc(0), Buffer.from([0x00, 0xff, 0x0a]), Buffer.from('ä🗝'), Buffer.alloc(40_000, 0x61)];
    const findings = keys.map((key) => finding(migration, key));
    await ledger.ranges.create([aRange(0, { migration, findingRuns: [[1, 4, 0]] })]);
    await ledger.findings.batches.put(teller(migration, 0, 1), 0, findings);
    expect(await ledger.findings.list(migration, 100, undefined)).toEqual({
      findings: findings.map((each) => ({
        ...each,
        key: each.key.subarray(0, 32_768),
        message: 'The server said "no" \\u0000\\u0007.',
      })),
      continuation: undefined,
    });
  });

  it('are those that the row counts, of each worker that it knows', async () => {
    const migration = freshId();
    await ledger.ranges.create([
      aRange(0, { migration, findingRuns: [[1, 2, 0], [3, 3, 0]] }), // prettier-ignore
      aRange(1, { migration }),
    ]);
    const put = async (range: number, generation: number, first: number, name: string, many: number) => {
      await ledger.findings.batches.put(teller(migration, range, generation), first, told(migration, name, many));
    };
    await put(0, 1, 0, 'first worker', 2);
    await put(0, 1, 2, 'first worker, not counted', 2);
    await put(0, 2, 0, 'second worker, not counted', 2);
    await put(0, 3, 0, 'third worker', 1);
    await put(0, 3, 1, 'third worker, one not counted', 3);
    await put(1, 1, 0, 'of a row that counts none', 2);
    await put(2, 1, 0, 'of no row', 2);
    // The answer to a request was lost: it comes again.
    await put(0, 1, 0, 'first worker', 2);
    const { findings } = await ledger.findings.list(migration, 100, undefined);
    expect(findings.map(({ key }) => String(key))).toEqual([
      'first worker 0',
      'first worker 1',
      'third worker 0',
      'third worker, one not counted 0',
      'third worker, one not counted 1',
    ]);
    expect((await ledger.findings.list(migration, 100, undefined, () => false)).findings).toEqual([]);
  });

  it('are paged behind those with rows of their own, without losing or doubling one', async () => {
    const migration = freshId();
    await ledger.findings.add(told(migration, 'own', 5));
    await ledger.ranges.create(
      Array.from({ length: 4 }, (_, i) => aRange(i, { migration, findingRuns: [[1, 10, 0]] })),
    );
    for (let range = 0; range < 4; range++) {
      await ledger.findings.batches.put(teller(migration, range, 1), 0, told(migration, `${range}`, 7));
      await ledger.findings.batches.put(teller(migration, range, 1), 7, told(migration, `${range} more`, 3));
    }
    for (const limit of [1, 3, 5, 9, 45, 100]) {
      const seen: string[] = [];
      let continuation: string | undefined;
      let pages = 0;
      do {
        expect(continuation === undefined || isContinuation(continuation)).toBe(true);
        const page = await ledger.findings.list(migration, limit, continuation);
        seen.push(...page.findings.map(({ key }) => String(key)));
        ({ continuation } = page);
        pages++;
      } while (continuation !== undefined);
      expect(pages).toBe(Math.ceil(45 / limit));
      expect(new Set(seen).size).toBe(45);
      expect(seen).toHaveLength(45);
    }
  });

  it('that cannot be read are told as such, as many as were counted', async () => {
    const migration = freshId();
    await ledger.ranges.create([aRange(0, { migration, findingRuns: [[1, 2, 0]] })]);
    await ledger.findings.batches.put(teller(migration, 0, 1), 0, told(migration, 'x', 3));
    const table = clients.table('KeyferryFindings');
    for await (const row of table.listEntities({ queryOptions: { filter: `PartitionKey eq '${migration}'` } })) {
      await table.updateEntity({ ...row, packed0: Buffer.from('garbage') } as never, 'Replace');
    }
    const { findings } = await ledger.findings.list(migration, 100, undefined);
    expect(findings.map(({ code, database }) => [code, database])).toEqual([
      ['unreadable', 3],
      ['unreadable', 3],
    ]);
  });

  it.each([
    { batch: "r-copy-00001' or PartitionKey eq 'another", at: 0 },
    { batch: 'r-copy-00001-0000000000-0000000001-0000000000', at: -1 },
    { batch: 'copy-00001', at: 0 },
    { at: 0 },
  ])('are not told for a place that was made up: %j', (place) => {
    expect(isContinuation(Buffer.from(JSON.stringify(place)).toString('base64'))).toBe(false);
  });
});

describe('snapshots', () => {
  it('are written whole: nothing of a longer one stays', async () => {
    const id = freshId();
    expect(await ledger.snapshots.get(id)).toBeUndefined();
    const short = firstSnapshot(aMigration());
    await ledger.snapshots.put(id, { ...short, warnings: ['x'.repeat(100_000)] });
    expect(await ledger.snapshots.put(id, short)).toBe(false);
    const { etag = '' } = (await ledger.snapshots.get(id))!;
    expect(await ledger.snapshots.put(id, { ...short, etag })).toBe(true);
    expect(await ledger.snapshots.get(id)).toEqual({ ...short, etag: expect.any(String) as unknown });
  });

  it('are not written over one that came after the one they began with', async () => {
    const id = freshId();
    await ledger.snapshots.put(id, firstSnapshot(aMigration()));
    const [one, two] = [(await ledger.snapshots.get(id))!, (await ledger.snapshots.get(id))!];
    expect(await ledger.snapshots.put(id, { ...one, visit: 'one' })).toBe(true);
    expect(await ledger.snapshots.put(id, { ...two, visit: 'two' })).toBe(false);
    expect(await ledger.snapshots.get(id)).toMatchObject({ visit: 'one' });
  });
});

describe('the queue of ranges', () => {
  it('gets each message once, in the form that the host decodes', async () => {
    const queue = new RangeQueue(clients);
    await Promise.all([queue.ensure(), queue.ensure()]);
    await queue.send([]);
    await queue.send(Array.from({ length: 40 }, (_, i) => ({ migration: 'm', range: `copy-${i}` })));
    const client = clients.queues.getQueueClient(RANGES_QUEUE);
    const seen = new Set<string>();
    for (;;) {
      const { receivedMessageItems } = await client.receiveMessages({ numberOfMessages: 32 });
      if (receivedMessageItems.length === 0) break;
      for (const item of receivedMessageItems) {
        seen.add((JSON.parse(Buffer.from(item.messageText, 'base64').toString()) as { range: string }).range);
        await client.deleteMessage(item.messageId, item.popReceipt);
      }
    }
    expect(seen.size).toBe(40);
  });

  it('keeps a message invisible for a while when asked to', async () => {
    const queue = new RangeQueue(clients);
    await queue.send([{ migration: 'm', range: 'later' }], 60);
    const client = clients.queues.getQueueClient(RANGES_QUEUE);
    expect((await client.receiveMessages()).receivedMessageItems).toEqual([]);
    await client.clearMessages();
  });
});

describe('the storage of the app', () => {
  it('is named by a connection string or by addresses, and missing otherwise', () => {
    expect(() => storageClients({})).toThrow(/no storage: set AzureWebJobsStorage/);
    expect(() => storageClients({ AzureWebJobsStorage__tableServiceUri: 'https://a.table.example' })).toThrow(
      /no storage/,
    );
    const byAccount = storageClients({ AzureWebJobsStorage__accountName: 'acc' });
    expect(byAccount.tables.url).toBe('https://acc.table.core.windows.net');
    expect(storageClients({ AzureWebJobsStorage: 'UseDevelopmentStorage=true' }).queues.url).toMatch(/127\.0\.0\.1/);
  });
});
