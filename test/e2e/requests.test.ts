import { writeFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { generate } from 'selfsigned';
import { CLOSED_PORT } from '../../local/servers/free-port';
import type { AppProcess } from '../tools/app-process';
import { fill } from './support/fill';
import { compareServers, Stage, type Side } from '../tools/stage';

const SECRET = 'S3cret-pa55word';
const WRONG = 'Wr0ng-pa55word';

const stage = new Stage();
let app: AppProcess;
let folder: string;
let old: Side;
let neu: Side;
let locked: Side;
let tls: Side;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'keyferry-tls-'));
  const pems = await generate([{ name: 'commonName', value: 'localhost' }], { keySize: 2048 });
  const [cert, key] = [path.join(folder, 'cert.pem'), path.join(folder, 'key.pem')];
  await writeFile(cert, pems.cert);
  await writeFile(key, pems.private);
  old = await stage.side('redis-6.0');
  neu = await stage.side('redis-7.0');
  locked = await stage.side('redis-7.0', { password: SECRET });
  tls = await stage.side('redis-7.0', { tls: { cert, key } });
  await fill(old, 3_000);
  await fill(old, 200, { database: 3, prefix: 'three:' });
  await fill(old, 100, { database: 7, prefix: 'seven:' });
  const { port } = locked.server;
  app = await stage.app({
    REDIS_OLD: old.server.url,
    REDIS_ALSO_OLD: `127.0.0.1:${old.server.port},abortConnect=False`,
    REDIS_NEW: neu.server.url,
    REDIS_ALSO_NEW: `localhost:${neu.server.port}`,
    REDIS_LOCKED: `127.0.0.1:${port},password=${SECRET},ssl=False,abortConnect=False`,
    REDIS_WRONG: `redis://:${WRONG}@127.0.0.1:${port}`,
    REDIS_ANONYMOUS: `redis://127.0.0.1:${port}`,
    REDIS_CLOSED: `redis://:${WRONG}@127.0.0.1:${CLOSED_PORT}`,
    REDIS_PLAIN_TO_TLS: `redis://127.0.0.1:${tls.server.port}`,
    REDIS_TLS_TO_PLAIN: `rediss://:${WRONG}@127.0.0.1:${neu.server.port}`,
    REDIS_UNTRUSTED: `rediss://localhost:${tls.server.port}`,
  });
});

afterAll(async () => {
  await stage.clear();
  await rm(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  await neu.client.flushall();
});

describe('databases', () => {
  it('all are copied into those of the same numbers', async () => {
    const report = await app.run({ source: 'OLD', target: 'NEW' });
    expect(report).toMatchObject({ state: 'completed', counts: { copied: 3_300 } });
    expect(await compareServers(old, neu)).toEqual({ keys: 3_300, differences: [] });
  });

  it('of a list only those are copied', async () => {
    const report = await app.run({ source: 'OLD', target: 'NEW', databases: [7, 3, 9] });
    expect(report).toMatchObject({ state: 'completed', counts: { copied: 300 }, source: { keysAtStart: 300 } });
    const listed = (database: number, key: Buffer) => (database === 0 ? undefined : { database, key });
    expect(await compareServers(old, neu, listed)).toEqual({ keys: 300, differences: [] });
  });

  it('go to other numbers by a map', async () => {
    const report = await app.run({ source: 'OLD', target: 'NEW', databases: { 3: 0, 7: 15 } });
    expect(report).toMatchObject({ state: 'completed', counts: { copied: 300 } });
    const mapped: Record<number, number> = { 3: 0, 7: 15 };
    const place = (database: number, key: Buffer) =>
      mapped[database] === undefined ? undefined : { database: mapped[database], key };
    expect(await compareServers(old, neu, place)).toEqual({ keys: 300, differences: [] });
  });

  it('go into one under prefixes by a map', async () => {
    const report = await app.run({ source: 'OLD', target: 'NEW', databases: { 0: 0, 3: 'db3:', 7: 'db7:' } });
    expect(report).toMatchObject({ state: 'completed', counts: { copied: 3_300 } });
    const place = (database: number, key: Buffer) => ({
      database: 0,
      key: database === 0 ? key : Buffer.concat([Buffer.from(`db${database}:`), key]),
    });
    expect(await compareServers(old, neu, place)).toEqual({ keys: 3_300, differences: [] });
  });

  it('that would fall together, or that the target has not, are refused', async () => {
    const together = await app.refused({ source: 'OLD', target: 'NEW', databases: { 3: 0, 0: 0 } });
    expect(together).toMatchObject({ status: 400, body: { error: { code: 'databasesCollide' } } });
    const beyond = await app.refused({ source: 'OLD', target: 'NEW', databases: { 3: 99 } });
    expect(beyond).toMatchObject({ status: 400, body: { error: { code: 'noSuchDatabase' } } });
    expect(await neu.client.info('keyspace')).not.toContain('db');
  });
});

describe('select', () => {
  it('match and exclude choose by name, and the rest is counted as skipped', async () => {
    const report = await app.run({
      source: 'OLD',
      target: 'NEW',
      databases: [0],
      select: { match: ['key:1*', 'key:2??'], exclude: ['key:1?', 'key:29[0-4]'] },
    });
    const wanted = (_: number, key: Buffer) => {
      const name = key.toString();
      return /^key:(1.*|2..)$/.test(name) && !/^key:(1.|29[0-4])$/.test(name) ? { database: 0, key } : undefined;
    };
    // key:1, key:1??, key:1???, key:2?? without key:290 to key:294
    const copied = 1 + 100 + 1_000 + 100 - 5;
    expect(await compareServers(old, neu, (d, key) => (d === 0 ? wanted(d, key) : undefined))).toEqual({
      keys: copied,
      differences: [],
    });
    expect(report).toMatchObject({ state: 'completed', counts: { copied, skippedByFilter: 3_000 - copied } });
  });

  it('types choose by type', async () => {
    const report = await app.run({ source: 'OLD', target: 'NEW', databases: [0], select: { types: ['hash', 'zset'] } });
    expect(report).toMatchObject({ state: 'completed', counts: { copied: 600, skippedByFilter: 2_400 } });
    const place = (database: number, key: Buffer) =>
      database === 0 && [0, 3].includes(Number(key.toString().slice(4)) % 10) ? { database, key } : undefined;
    expect(await compareServers(old, neu, place)).toEqual({ keys: 600, differences: [] });
  });
});

it('rename changes names that match and leaves the others', async () => {
  const report = await app.run({
    source: 'OLD',
    target: 'NEW',
    databases: [0],
    rename: [{ from: '^key:(\\d)(\\d)$', to: 'two/$2$1\\$' }],
  });
  expect(report).toMatchObject({ state: 'completed', counts: { copied: 3_000 } });
  const place = (database: number, key: Buffer) =>
    database === 0
      ? { database, key: Buffer.from(key.toString().replace(/^key:(\d)(\d)$/, 'two/$2$1\\$$')) }
      : undefined;
  expect(await compareServers(old, neu, place)).toEqual({ keys: 3_000, differences: [] });
});

describe('keys that are there already', () => {
  beforeEach(async () => {
    await neu.client.set('key:4', 'mine');
    await neu.client.rpush('key:0', 'mine', 'too');
    await neu.client.set('other', 'untouched');
  });

  it('are replaced by default', async () => {
    const report = await app.run({ source: 'OLD', target: 'NEW' });
    expect(report).toMatchObject({ state: 'completed', counts: { copied: 3_300, skippedByConflict: 0 } });
    expect(report.warnings).toContain('The target has 3 keys already.');
    expect(await compareServers(old, neu, undefined, 'others too')).toEqual({ keys: 3_300, differences: [] });
  });

  it('are kept with skip, and counted', async () => {
    const report = await app.run({ source: 'OLD', target: 'NEW', onConflict: 'skip' });
    expect(report).toMatchObject({ state: 'completed', counts: { copied: 3_298, skippedByConflict: 2 } });
    expect(await neu.client.get('key:4')).toBe('mine');
    expect(await neu.client.lrange('key:0', 0, -1)).toEqual(['mine', 'too']);
    await neu.client.del('other');
    const { differences } = await compareServers(old, neu);
    expect(differences).toHaveLength(2);
  });

  it('make it refuse to start with fail, unless they are in other databases', async () => {
    const answer = await app.refused({ source: 'OLD', target: 'NEW', onConflict: 'fail' });
    expect(answer).toMatchObject({ status: 409, body: { error: { code: 'targetNotEmpty' } } });
    expect(await neu.client.dbsize()).toBe(3);
    const report = await app.run({ source: 'OLD', target: 'NEW', onConflict: 'fail', databases: [3] });
    expect(report).toMatchObject({ state: 'completed', counts: { copied: 200 } });
  });
});

it('verify none looks at no counts and says so', async () => {
  const report = await app.run({ source: 'OLD', target: 'NEW', verify: 'none' });
  expect(report).toMatchObject({ state: 'completed', counts: { copied: 3_300 }, tally: { missing: null } });
});

describe('limits', () => {
  it('keysPerSecond holds the rate', async () => {
    const report = await app.run({ source: 'OLD', target: 'NEW', databases: [0], limits: { keysPerSecond: 600 } });
    expect(report).toMatchObject({ state: 'completed', counts: { copied: 3_000 } });
    const seconds = (Date.parse(report.finishedAt ?? '') - Date.parse(report.startedAt)) / 1_000;
    expect(seconds).toBeGreaterThan(4);
  });

  it('parallelRanges bounds how many ranges are at work', async () => {
    const wide = await stage.side('redis-6.0');
    await fill(wide, 40_000);
    const slow = await stage.app({ REDIS_WIDE: wide.server.url, REDIS_NEW: neu.server.url });
    const limits = { parallelRanges: 2, keysPerSecond: 20_000 };
    const id = await slow.migrate({ source: 'WIDE', target: 'NEW', limits });
    const active: number[] = [];
    const report = await slow.reportWhen(id, ({ progress, finishedAt }) => {
      active.push(progress.ranges.active);
      return finishedAt !== null;
    });
    expect(report).toMatchObject({
      state: 'completed',
      counts: { copied: 40_000 },
      progress: { ranges: { total: 8 } },
    });
    expect(Math.max(...active)).toBeLessThanOrEqual(2);
    expect(active).toContain(2);
  });
});

describe('requestId', () => {
  it('repeated gives the same migration, and with another request is refused', async () => {
    const request = { source: 'OLD', target: 'NEW', requestId: 'deployment-42' };
    const id = await app.migrate(request);
    expect(await app.migrate(request)).toBe(id);
    const other = await app.refused({ ...request, databases: [3] });
    expect(other).toMatchObject({ status: 409, body: { error: { code: 'requestIdReused' } } });
    expect(await app.finished(id)).toMatchObject({ state: 'completed', counts: { copied: 3_300 } });
    expect(await app.migrate(request)).toBe(id);
    expect(await app.report(id)).toMatchObject({ state: 'completed', counts: { copied: 3_300 } });
  });

  it('sent many times at once starts one migration', async () => {
    const request = { source: 'OLD', target: 'NEW', requestId: 'all-at-once' };
    const ids = await Promise.all(Array.from({ length: 8 }, () => app.migrate(request)));
    expect(new Set(ids).size).toBe(1);
    const report = await app.finished(ids[0] ?? '');
    expect(report).toMatchObject({ state: 'completed', counts: { copied: 3_300 } });
    expect(report.counts.scanned - report.counts.repeats).toBe(3_300);
  });
});

describe('what is refused', () => {
  it('tells all mistakes at once, each with its path', async () => {
    const { status, body } = await app.refused({
      source: 'redis://host',
      mode: 'move',
      databases: [-1],
      select: { match: 'x', typs: [] },
      rename: [{ from: '(', to: '' }],
      limits: { keysPerSecond: -5 },
      requestId: 'no spaces',
      extra: 1,
    });
    expect(status).toBe(400);
    expect(body.error.code).toBe('badRequest');
    const paths = body.error.details.map((detail) => detail.path);
    for (const wanted of [
      'source',
      'target',
      'mode',
      'databases',
      'select.match',
      'select.typs',
      'rename.0.from',
      'limits.keysPerSecond',
      'requestId',
      'extra',
    ]) {
      expect(paths.some((found) => found === wanted || found.startsWith(`${wanted}.`))).toBe(true);
    }
    expect(body.error.details.every(({ message }) => message.length > 0)).toBe(true);
  });

  it.each([['not JSON'], ['[]'], ['null'], ['"text"']])('the body %s', async (text) => {
    expect(await app.refused(text)).toMatchObject({ status: 400, body: { error: { code: 'badRequest' } } });
  });

  it('connections that the settings do not have, both told', async () => {
    const { status, body } = await app.refused({ source: 'NOBODY', target: 'NOTHING' });
    expect(status).toBe(400);
    expect(body.error.details.map((detail) => detail.path)).toEqual(['source', 'target']);
    expect(body.error.details[0]?.message).toContain('REDIS_NOBODY');
  });

  it.each([
    ['GET', '/api/migrations/none-such'],
    ['DELETE', '/api/migrations/none-such'],
    ['GET', '/api/migrations/none-such/findings'],
    ['GET', "/api/migrations/x'%20or%20'1'%20eq%20'1"],
  ])('%s %s, with 404', async (method, route) => {
    expect(await app.request(method, route)).toMatchObject({ status: 404, body: { error: { code: 'notFound' } } });
  });

  it('findings with a limit or continuation that is none', async () => {
    const { id } = await app.run({ source: 'OLD', target: 'NEW', databases: [3] });
    for (const query of ['limit=0', 'limit=x', 'limit=1001', 'continuation=!']) {
      const answer = await app.request('GET', `/api/migrations/${id}/findings?${query}`);
      expect(answer).toMatchObject({ status: 400, body: { error: { code: 'badRequest' } } });
    }
  });

  it.each([
    ['OLD', 'OLD'],
    ['OLD', 'ALSO_OLD'],
  ])('a copy of a server into itself: %s to %s', async (source, target) => {
    expect(await app.refused({ source, target })).toMatchObject({
      status: 409,
      body: { error: { code: 'sameServer' } },
    });
  });

  it('a second migration into the same target, also by another name, while the first runs', async () => {
    const id = await app.migrate({ source: 'OLD', target: 'NEW', limits: { keysPerSecond: 200 } });
    for (const target of ['NEW', 'ALSO_NEW']) {
      const { status, body } = await app.refused({ source: 'OLD', target });
      expect(status).toBe(409);
      expect(body.error.message).toContain(id);
    }
    await app.request('DELETE', `/api/migrations/${id}`);
    expect(await app.finished(id)).toMatchObject({ state: 'cancelled' });
    expect(await app.run({ source: 'OLD', target: 'ALSO_NEW' })).toMatchObject({ state: 'completed' });
  });
});

describe('a Redis that cannot be used is told by its name, without secrets', () => {
  it.each([
    ['WRONG', /refuses the user name or password/],
    ['ANONYMOUS', /asks for a password and none is set/],
    ['CLOSED', /refused/],
    ['PLAIN_TO_TLS', /TLS/],
    ['TLS_TO_PLAIN', /TLS/],
    ['UNTRUSTED', /certificate/],
  ])('%s', async (name, reason) => {
    for (const request of [
      { source: name, target: 'NEW' },
      { source: 'OLD', target: name },
    ]) {
      const { status, body } = await app.refused(request);
      expect(status).toBe(502);
      expect(body.error.message).toContain(`"${name}"`);
      expect(body.error.message).toMatch(reason);
      expect(JSON.stringify(body)).not.toMatch(/pa55word|127\.0\.0\.1|localhost/);
    }
    expect(app.log).not.toContain(WRONG);
    expect(app.log).not.toContain(SECRET);
  });

  it('and the same server with the right password, or a certificate that is trusted, works', async () => {
    expect(await app.run({ source: 'OLD', target: 'LOCKED' })).toMatchObject({ state: 'completed' });
    expect(await compareServers(old, locked)).toEqual({ keys: 3_300, differences: [] });
    const trusting = await stage.app({
      REDIS_OLD: old.server.url,
      REDIS_SAFE: `rediss://localhost:${tls.server.port}`,
      NODE_EXTRA_CA_CERTS: path.join(folder, 'cert.pem'),
    });
    expect(await trusting.run({ source: 'OLD', target: 'SAFE' })).toMatchObject({ state: 'completed' });
    expect(await tls.client.dbsize()).toBe(3_000);
    expect(app.log + trusting.log).not.toContain(SECRET);
  });
});
