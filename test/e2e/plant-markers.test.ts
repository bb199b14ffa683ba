import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync, inflateRawSync } from 'node:zlib';
import { CommandFolder, type Ended } from '../cli/support/command';
import type { ErrorDocument } from '../../src/api/documents';
import { retriedAtOnce, until, type AppProcess } from '../tools/app-process';
import { Stage, type Side } from '../tools/stage';
import { messagesOf, rowsOf, send, queueOf } from './support/storage';

/** Words that nothing but a Redis may hold. */
const KEY = 'PLANTEDKEY';
const VALUE = 'PLANTEDVALUE';
const PASSWORD = 'PLANTEDPASSWORD';
const USER = 'PLANTEDUSER';
const HOST = 'plantedhost';
const CODE = 'PLANTEDCODE';
const SETTING = 'PLANTEDSETTING';
const secrets = [VALUE, PASSWORD, USER, HOST, CODE, SETTING];

const stage = new Stage();
const command = new CommandFolder();
/** What was read from outside, by where. */
const seen: { readonly where: string; readonly text: string }[] = [];
let app: AppProcess;
let withHashes: AppProcess;
let newer: Side;
let old: Side;
let neu: Side;
let lame: Side;

const KEYS = 3_000;

beforeAll(async () => {
  newer = await stage.side('redis-8.0');
  old = await stage.side('redis-7.0');
  neu = await stage.side('redis-7.0');
  // Answers RESTORE, SET and others with "unknown command …, with args beginning with: '<key>' …".
  const renamed = ['SET', 'RESTORE', 'RPUSH', 'HSET', 'HMSET'].flatMap((name) => [
    '--rename-command',
    name,
    `HIDDEN${name}`,
  ]);
  lame = await stage.side('redis-7.0', { args: renamed });
  for (const { client } of [newer, old, neu, lame]) {
    await client.call('ACL', 'SETUSER', USER, 'on', `>${PASSWORD}`, '~*', '&*', '+@all');
  }
  for (const { client } of [newer, old]) {
    for (let i = 0; i < KEYS; i++) {
      const key = `${KEY}:${i}`;
      if (i % 3 === 0) void client.hset(key, `${VALUE}-field`, `${VALUE} ${i}`);
      else if (i % 3 === 1) void client.rpush(key, VALUE, `${i}`);
      else void client.set(key, `${VALUE} ${i}`);
    }
    await client.set(Buffer.concat([Buffer.from(KEY), Buffer.from([0xff, 0])]), VALUE);
  }
  // A field's expiry that older servers do not keep: findings that name their keys.
  await newer.client.call('HPEXPIREAT', `${KEY}:0`, 4_102_444_800_123, 'FIELDS', 1, `${VALUE}-field`);
  const url = ({ server }: Side, password = PASSWORD) => `redis://${USER}:${password}@127.0.0.1:${server.port}`;
  const settings = {
    ...retriedAtOnce,
    REDIS_NEWER: url(newer),
    REDIS_OLD: url(old),
    REDIS_NEW: url(neu),
    REDIS_LAME: url(lame),
    REDIS_WRONG: url(neu, `${PASSWORD}-wrong`),
    REDIS_PORTAL: `${HOST}.invalid:6380,password=${PASSWORD},ssl=True,abortConnect=False`,
    REDIS_BROKEN: `${SETTING} password=${PASSWORD}`,
    REDIS_BROKEN2: `http://${USER}:${PASSWORD}@${HOST}.invalid`,
  };
  app = await stage.app(settings);
  withHashes = await stage.app({ ...settings, KEYFERRY_FINDING_KEYS: 'hash' });
});

afterAll(async () => {
  await stage.clear();
  command.remove();
});

function see(where: string, thing: unknown): void {
  seen.push({ where, text: typeof thing === 'string' ? thing : JSON.stringify(thing) });
}

/** Where a word stands in what was seen, plainly, as base64 or in hexadecimal. */
function placesOf(word: string): string[] {
  const forms = [word, Buffer.from(word).toString('hex'), ...base64Forms(word)];
  return seen
    .filter(({ text }) => forms.some((form) => text.toLowerCase().includes(form.toLowerCase())))
    .map(({ where }) => where);
}

/** The parts of base64 that a text gives at each of three places, without what its neighbours take part in. */
function base64Forms(word: string): string[] {
  return [0, 1, 2].map((before) => {
    const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(word)]);
    return bytes.toString('base64').slice(before === 0 ? 0 : before + 1, Math.floor((bytes.length * 8) / 6));
  });
}

async function keep(where: string, ended: Promise<Ended>): Promise<Ended> {
  const result = await ended;
  see(`command: ${where}`, result.stdout + result.stderr);
  return result;
}

describe('while migrations succeed, fail and are refused', () => {
  it('one with findings', async () => {
    const id = await app.migrate({ source: 'NEWER', target: 'NEW', limits: { keysPerSecond: 2_000 } });
    for (;;) {
      const report = await app.report(id);
      see('report', report);
      for (const name of ['ranges', 'ranges-poison']) see(`queue ${name}`, await messagesOf(app, name));
      if (report.finishedAt !== null) {
        expect(report).toMatchObject({ state: 'completedWithDifferences', findings: 1 });
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const { findings } = await app.findings(id);
    expect(findings.map(({ key }) => key)).toEqual([`${KEY}:0`]);
    see(
      'messages of findings',
      findings.map(({ message, code }) => [message, code]),
    );
  });

  it('one with findings by hashes', async () => {
    await neu.client.flushall();
    const { id } = await withHashes.run({ source: 'NEWER', target: 'NEW' });
    const page = await withHashes.findings(id);
    const hash = createHash('sha256').update(`${KEY}:0`).digest('hex');
    expect(page.findings.map(({ key }) => key)).toEqual([`sha256:${hash}`]);
    see('findings by hashes', page);
    for (const { table, row } of await rowsOf(withHashes)) see(`table ${table}, with hashes`, row);
  });

  it('one whose target refuses commands, and poisoned messages', async () => {
    const id = await app.migrate({ source: 'OLD', target: 'LAME', verify: 'none' });
    await until(async () => {
      see('queue ranges-poison', await messagesOf(app, 'ranges-poison'));
      const report = await app.report(id);
      see('report of a failing one', report);
      return report.finishedAt !== null;
    }, 120_000);
    expect((await app.report(id)).counts.copied).toBeLessThan(KEYS);
    const { findings } = await app.findings(id);
    see(
      'messages of findings',
      findings.map(({ message, code }) => [message, code]),
    );
    await send(queueOf(app, 'ranges'), { migration: 'x', range: 'y' });
  });

  it.each([
    ['a wrong password', { source: 'OLD', target: 'WRONG' }, 502],
    ['a host that is none', { source: 'OLD', target: 'PORTAL' }, 502],
    ['a connection that cannot be read', { source: 'BROKEN', target: 'NEW' }, 400],
    ['a URL of the wrong kind', { source: 'BROKEN2', target: 'NEW' }, 400],
    ['a URL in place of a name', { source: `redis://${USER}:${PASSWORD}@${HOST}.invalid`, target: 'NEW' }, 400],
    ['no JSON', `{"source": "${PASSWORD}`, 400],
    ['a wrong value', { source: 'OLD', target: 'NEW', mode: SETTING, verify: PASSWORD, databases: [VALUE] }, 400],
    ['a large body', { source: 'OLD', target: 'NEW', requestId: PASSWORD.repeat(8_000) }, 413],
  ])('%s', async (what, body, status) => {
    const answer = await app.refused(body);
    see(`answer to ${what}`, [answer.body, [...answer.headers]]);
    expect(answer.status).toBe(status);
    expect(answer.body.error.message).not.toBe('');
  });

  it('a body without a length that is too large', async () => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(gzipSync(''));
        controller.enqueue(Buffer.alloc(70_000, 'x'));
        controller.close();
      },
    });
    const init = { method: 'POST', body, duplex: 'half' } as RequestInit;
    const response = await fetch(`${app.url}/api/migrations`, init);
    expect(response.status).toBe(413);
    expect(((await response.json()) as ErrorDocument).error.code).toBe('bodyTooLarge');
  });

  it('a function key in a URL comes back in no URL of ours', async () => {
    await neu.client.flushall();
    const answer = await app.request<{ id: string; statusUrl: string }>('POST', `/api/migrations?code=${CODE}`, {
      source: 'OLD',
      target: 'NEW',
    });
    expect(answer).toMatchObject({ status: 202, body: { statusUrl: `${app.url}/api/migrations/${answer.body.id}` } });
    expect(answer.headers.get('location')).toBe(answer.body.statusUrl);
    see('answer to a key in the URL', [answer.body, [...answer.headers]]);
    await app.finished(answer.body.id);
    see('list', (await app.request('GET', `/api/migrations?code=${CODE}`)).body);
    for (const part of ['history', 'ranges']) {
      const { status, body } = await app.request('GET', `/api/migrations/${answer.body.id}/${part}?code=${CODE}`);
      expect(status).toBe(200);
      see(part, body);
    }
    see('schedules', (await app.request('GET', `/api/schedules?code=${CODE}`)).body);
    see('unknown id', (await app.request('GET', `/api/migrations/none?code=${CODE}`)).body);
  });

  it('the command', async () => {
    await neu.client.flushall();
    const remote = ['--endpoint', app.url];
    const migrated = await keep('migrate', command.run(['migrate', '--source', 'OLD', '--target', 'NEW', ...remote]));
    expect(migrated.stderr + migrated.stdout).toMatch(/completed|complete/i);
    expect(migrated.code).toBe(0);
    await keep('list', command.run(['list', ...remote]));
    const url = `redis://${USER}:${PASSWORD}@${HOST}.invalid:6379`;
    const refused = await keep(
      'migrate, unreachable',
      command.run(['migrate', '--source', url, '--target', url.replace('6379', '6380')]),
    );
    expect(refused.code).not.toBe(0);
  });
});

/** A batch of findings without their keys; nothing of other rows. */
function unpacked(row: Record<string, unknown>): Record<string, unknown> {
  if (!(row.packed0 instanceof Uint8Array) || !String(row.rowKey).startsWith('r-')) return {};
  const told = JSON.parse(inflateRawSync(row.packed0).toString()) as [key: string, ...others: string[]][];
  return { packed0: told.map(([, ...others]) => others) };
}

describe('afterwards', () => {
  beforeAll(async () => {
    see('log', app.log);
    see('log, with hashes', withHashes.log);
    for (const { table, row } of await rowsOf(app)) {
      const { key: _key, ...rest } = row;
      see(`table ${table}`, table === 'KeyferryFindings' ? { ...rest, ...unpacked(row) } : row);
    }
    // All that was ever sent: the emulator takes deleted messages off its disk late.
    const folder = path.join(app.dataFolder, '__queuestorage__');
    for (const file of readdirSync(folder)) {
      const raw = readFileSync(path.join(folder, file), 'latin1');
      see('messages', raw);
      for (const text of raw.match(/[A-Za-z0-9+/]{16,}=*/g) ?? [])
        see('messages', Buffer.from(text, 'base64').toString());
    }
    for (const name of ['ranges', 'ranges-poison', 'ranges-poison-poison']) {
      see(`queue ${name}`, await messagesOf(app, name));
    }
  });

  it('all places were looked at', () => {
    const places = new Set(seen.map(({ where }) => where));
    for (const place of ['log', 'table KeyferryMigrations', 'table KeyferryRanges', 'table KeyferryFindings']) {
      expect(places).toContain(place);
    }
    // Durable history and custom status.
    expect([...places].some((place) => place.startsWith('table KeyferryHub'))).toBe(true);
    expect(seen.filter(({ where }) => where === 'messages').some(({ text }) => text.includes('copy-'))).toBe(true);
    expect(app.log).toContain('copyRange');
    expect(
      seen.filter(({ where }) => where === 'table KeyferryFindings').some(({ text }) => text.includes('lost-')),
    ).toBe(true);
  });

  it.each([KEY, ...secrets])('%s is nowhere', (word) => {
    expect([...new Set(placesOf(word))]).toEqual([]);
  });

  it('would be found if it were there', () => {
    see('plain', `a${VALUE}b`);
    see('base64', Buffer.from(`ab${VALUE}c`).toString('base64'));
    see('hexadecimal', Buffer.from(`a${VALUE}`).toString('hex'));
    expect(placesOf(VALUE)).toEqual(['plain', 'base64', 'hexadecimal']);
  });
});
