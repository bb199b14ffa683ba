import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { END, writeHead, writeKey } from '../../src/payload/file-records';
import { withFooter } from '../../src/payload/footer';
import { Output } from '../../src/payload/output';
import type { SurveyReport } from '../../src/survey/report-schema';
import type { AppProcess } from '../tools/app-process';
import { digest, Stage, type Side } from '../tools/stage';

const snapshot = path.resolve(__dirname, '../fixtures/redis-4.0.14.rdb');
const KEYS = 18_270;
const SOURCE = { rdb: 'FOLDER', file: 'dump.rdb' };

const stage = new Stage();
let folder: string;
let app: AppProcess;
let sides: Record<'OLD' | 'NEW' | 'OTHER', Side>;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'keyferry-file-modes-'));
  await copyFile(snapshot, path.join(folder, 'dump.rdb'));
  sides = {
    OLD: await stage.side('redis-6.0', { dataFolder: folder, rdb: 'dump.rdb' }),
    NEW: await stage.side('redis-8.0'),
    OTHER: await stage.side('redis-6.0'),
  };
  app = await stage.app({
    ...stage.connections(sides),
    RDB_FOLDER: pathToFileURL(folder).href,
    KEYFERRY_BIG_KEY_MIB: '1',
  });
});

afterAll(async () => {
  await stage.clear();
  await rm(folder, { recursive: true, force: true });
});

async function surveyOf(id: string): Promise<SurveyReport> {
  return (await app.request<SurveyReport>('GET', `/api/migrations/${id}/report`)).body;
}

/** How many keys there are of each sort. */
function keysBy<Amount extends { readonly keys: number }>(
  amounts: readonly Amount[],
  sortOf: (one: Amount) => unknown,
) {
  return Object.fromEntries(amounts.map((one) => [String(sortOf(one)), one.keys]));
}

describe('a dry run of a file', () => {
  it('tells of it what it would tell of the server that loads it, and writes nothing', async () => {
    await sides.NEW.client.flushall();
    const ofFile = await app.run({ source: SOURCE, target: 'NEW', mode: 'dry-run' });
    const ofServer = await app.run({ source: 'OLD', target: 'NEW', mode: 'dry-run' });

    expect(ofFile).toMatchObject({
      state: 'completed',
      counts: { scanned: KEYS, copied: KEYS, expired: 0, failed: 0 },
      findings: 0,
      warnings: [],
    });
    const [file, server] = [await surveyOf(ofFile.id), await surveyOf(ofServer.id)];
    expect(file).toMatchObject({ complete: true, bytesAre: 'payload', total: { keys: KEYS }, obstacles: [] });
    const facts = ({ databases, types, encodings, expiries }: SurveyReport) => [
      keysBy(databases, ({ database }) => database),
      keysBy(types, ({ type }) => type),
      keysBy(encodings, ({ type, objectEncoding }) => `${type} ${objectEncoding}`),
      keysBy(expiries, ({ from, to }) => `${from}-${to}`),
    ];
    expect(facts(file)).toEqual(facts(server));
    expect(file.outcome.copied.bytes).toBeGreaterThan(2_000_000);
    const largest = file.largestKeys.slice(0, 3).map(({ key }) => key);
    expect(largest.sort()).toEqual(
      server.largestKeys
        .slice(0, 3)
        .map(({ key }) => key)
        .sort(),
    );
    expect(await sides.NEW.client.dbsize()).toBe(0);
  });
});

describe('a dry run of a file without a target', () => {
  it('tells what is in it, and that nothing was asked of a target', async () => {
    const report = await app.run({ source: SOURCE, mode: 'dry-run' });
    expect(report).toMatchObject({
      state: 'completed',
      source: { name: 'FOLDER/dump.rdb', version: 'RDB 8', keysAtStart: KEYS },
      target: { name: '', version: '', keysAtStart: null, keysNow: null },
      tally: { targetKeys: null, missing: null },
      counts: { scanned: KEYS, copied: KEYS, failed: 0 },
      findings: 0,
      warnings: [],
    });
    const alone = await surveyOf(report.id);
    const withTarget = await surveyOf((await app.run({ source: SOURCE, target: 'OTHER', mode: 'dry-run' })).id);
    for (const part of ['total', 'databases', 'types', 'encodings', 'sizes', 'largestKeys', 'prefixes'] as const)
      expect(alone[part]).toEqual(withTarget[part]);
    expect(alone).toMatchObject({ target: null, memory: null, time: null, obstacles: [] });
    expect(alone.outcome).toMatchObject({
      copied: withTarget.outcome.copied,
      existing: null,
      overwritten: null,
      skippedByConflict: null,
      byCommands: null,
    });
  });

  it('is refused with all that a target is needed for', async () => {
    const mistakes = async (body: object) => {
      const answer = await app.request<{ error: { details: { path: string }[] } }>('POST', '/api/migrations', body);
      return [answer.status, answer.body.error.details.map(({ path: field }) => field)];
    };
    expect(await mistakes({ source: SOURCE })).toEqual([400, ['target']]);
    expect(await mistakes({ source: 'OLD', mode: 'dry-run' })).toEqual([400, ['target']]);
    const more = { onConflict: 'skip', rename: [{ from: '^a', to: 'b' }], databases: { 0: 1 } };
    expect(await mistakes({ source: SOURCE, mode: 'dry-run', ...more })).toEqual([
      400,
      ['onConflict', 'rename', 'databases'],
    ]);
  });
});

describe('a comparison of a file with a server', () => {
  const compared = async (body: object = {}) =>
    await app.run({ source: SOURCE, mode: 'compare', target: 'NEW', ...body });

  async function restored(): Promise<Side['client']> {
    await sides.NEW.client.flushall();
    await app.run({ source: SOURCE, target: 'NEW' });
    return sides.NEW.client;
  }

  it.each(['full', 'quick'])('finds nothing where nothing differs, %s', async (verify) => {
    if (verify === 'full') await restored();
    expect(await compared({ verify })).toMatchObject({
      state: 'completed',
      counts: { scanned: KEYS, same: KEYS, different: 0, extra: 0 },
      tally: { missing: 0 },
      findings: 0,
      warnings: [],
    });
  });

  it('finds each key that is missing, different or extra, in any database', async () => {
    const client = await restored();
    await client.del('user:329:profile');
    await client.set('big:string', 'other');
    await client.set('extra', 'x');
    await client.select(5);
    const [here = ''] = await client.keys('*');
    await client.del(here);
    await client.set('extra 5', 'x');
    await client.select(9);
    await client.set('extra 9', 'x');
    await client.select(0);
    const types = await Promise.all(['list', 'zset', 'hash', 'set'].map(async (type) => await keysOf(client, type)));
    const [[list = ''] = [], [zset = ''] = [], [hash = ''] = [], [set = ''] = []] = types;
    await client.lset(list, 0, 'other');
    // Which one comes first is chance, and to infinity nothing can be added.
    await client.zadd(zset, 0.123456789, (await client.zrange(zset, '0', '0'))[0]!);
    await client.spop(set);
    await client.sadd(set, 'one more');
    const [field = ''] = await client.hkeys(hash);
    await client.hset(hash, field, 'other');
    const [expiring = ''] = await expiringKeys(client);
    await client.pexpire(expiring, 3_600_000);

    const report = await compared();

    const { findings } = await app.findings(report.id);
    const codes = Object.fromEntries(findings.map(({ key, code }) => [key, code]));
    expect(codes).toEqual({
      ...{ 'user:329:profile': 'missing', [here]: 'missing' },
      ...{ 'big:string': 'different-length', [set]: 'different-value' },
      ...{ [list]: 'different-value', [zset]: 'different-value', [hash]: 'different-value' },
      ...{ [expiring]: 'different-expiry', extra: 'extra', 'extra 5': 'extra', 'extra 9': 'extra' },
    });
    expect(report).toMatchObject({
      state: 'completedWithDifferences',
      counts: { different: 6, extra: 3 },
      tally: { missing: 2 },
    });
  });
});

async function keysOf(client: Side['client'], type: string): Promise<string[]> {
  const [, keys] = await client.scan('0', 'COUNT', '2000', 'TYPE', type);
  return keys.filter((key) => !key.startsWith('big:') && !key.startsWith('{'));
}

async function expiringKeys(client: Side['client']): Promise<string[]> {
  const keys = await keysOf(client, 'string');
  const expiries = await Promise.all(keys.map((key) => client.pttl(key)));
  return keys.filter((_, i) => expiries[i]! > 0);
}

describe('a restore', () => {
  it.each(['full', 'quick'])('is verified %s', async (verify) => {
    await sides.OTHER.client.flushall();
    const report = await app.run({ source: SOURCE, target: 'OTHER', verify });
    expect(report).toMatchObject({ state: 'completed', counts: { copied: KEYS }, tally: { missing: 0 }, findings: 0 });
    expect(await digest(sides.OTHER)).toBe(await digest(sides.OLD));
  });

  it('leaves keys that are there as they are where that is asked for, and says how they differ', async () => {
    const { client } = sides.OTHER;
    await client.flushall();
    await client.set('user:329:profile', 'mine');
    const source = { source: SOURCE, target: 'OTHER', onConflict: 'skip' };

    expect(await app.run(source)).toMatchObject({
      state: 'completed',
      counts: { copied: KEYS - 1, skippedByConflict: 1 },
      tally: { missing: 0 },
    });
    const again = await app.run({ ...source, verify: 'full' });
    expect(again).toMatchObject({
      state: 'completedWithDifferences',
      counts: { copied: 0, skippedByConflict: KEYS, different: 1 },
      findings: 1,
    });
    expect(await client.get('user:329:profile')).toBe('mine');
  });
});

describe('values of all kinds', () => {
  const file = { rdb: 'FOLDER', file: 'kinds.rdb' };
  const compared = async () => await app.run({ source: file, mode: 'compare', target: 'NEW' });
  let client: Side['client'];

  beforeAll(async () => {
    ({ client } = sides.NEW);
    await client.flushall();
    await client.set('large', Buffer.alloc(3_000_000, 'x'));
    await client.rpush('list', ...Array.from({ length: 400 }, (_, i) => `${i}`.repeat(3_000)));
    await client.xadd('stream', '1-1', 'a', '1');
    await client.xadd('stream', '1-2', 'a', '2');
    await client.xgroup('CREATE', 'stream', 'readers', '0');
    await client.xreadgroup('GROUP', 'readers', 'me', 'COUNT', '1', 'STREAMS', 'stream', '>');
    await client.hset('hash', { a: '1', b: '2' });
    await client.call('HPEXPIRE', 'hash', '10000000', 'FIELDS', '1', 'a');
    await client.set('soon', 'over', 'PX', 1_500);
    await app.run({ source: 'NEW', target: file });
  });

  it('are compared, also those that are large, and what has expired is not there', async () => {
    while ((await client.exists('soon')) === 1) await sleep(100);
    expect(await compared()).toMatchObject({ state: 'completed', counts: { scanned: 5, same: 4, expired: 1 } });

    await client.set('soon', 'again');
    await client.setrange('large', 2_999_999, 'y');
    await client.lset('list', 399, 'other');
    await client.xack('stream', 'readers', '1-1');
    await client.call('HPERSIST', 'hash', 'FIELDS', '1', 'a');
    const report = await compared();
    const { findings } = await app.findings(report.id);
    expect(Object.fromEntries(findings.map(({ key, code }) => [key, code]))).toEqual({
      ...{ soon: 'extra', large: 'different-value', list: 'different-value', stream: 'different-value' },
      hash: 'different-field-expiry',
    });
    expect(report).toMatchObject({ state: 'completedWithDifferences', counts: { different: 4, extra: 1 } });
  });

  it('that no server writes are told in a dry run and in a comparison', async () => {
    const out = new Output();
    writeHead(out, 9, []);
    const values = [Buffer.from([13, 4, 1, 2, 3, 4]), Buffer.from([0, 1, 118])];
    for (const [i, value] of values.entries())
      writeKey(out, Buffer.from(`key${i}`), 0, withFooter(value, value.length, 9));
    out.byte(END);
    out.int64(0n);
    await writeFile(path.join(folder, 'hostile.rdb'), out.copy());
    const source = { rdb: 'FOLDER', file: 'hostile.rdb' };
    await client.flushall();
    await client.set('key0', 'v');
    await client.set('key1', 'v');

    const dry = await app.run({ source, target: 'NEW', mode: 'dry-run' });
    expect(dry).toMatchObject({ counts: { copied: 1, failed: 1 }, findings: 1 });
    const alone = await app.run({ source, mode: 'dry-run' });
    expect(alone).toMatchObject({ counts: { copied: 1, failed: 1 }, findings: 1 });
    const report = await app.run({ source, target: 'NEW', mode: 'compare', verify: 'quick' });
    expect(report).toMatchObject({ state: 'completedWithDifferences', counts: { same: 1, different: 1 } });
    await client.del('key0');
    await client.hset('key0', 'a', 'b');
    const again = await app.run({ source, target: 'NEW', mode: 'compare' });
    expect((await app.findings(again.id)).findings).toEqual([
      expect.objectContaining({ key: 'key0', message: expect.stringContaining('cannot be compared') as string }),
    ]);
  });
});
