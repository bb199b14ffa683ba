import { setTimeout as sleep } from 'node:timers/promises';
import type { SchedulesReport } from '../../src/schedule/report-schedules';
import { until, type AppProcess } from './support/app-process';
import { fill } from './support/fill';
import { compareServers, Stage, type Side } from './support/stage';

jest.setTimeout(420_000);

const stage = new Stage();
let old: Side;
let neu: Side;
let third: Side;

beforeAll(async () => {
  old = await stage.side('redis-6.0');
  neu = await stage.side('redis-7.0');
  third = await stage.side('redis-7.0');
  await fill(old, 2_000);
}, 60_000);

afterAll(() => stage.clear());

/** An expression for these seconds of the minute of `time`, and for no other minute of the year. */
function only(time: Date, seconds: string): string {
  const date = `${time.getUTCDate()} ${time.getUTCMonth() + 1}`;
  return `${seconds} ${time.getUTCMinutes()} ${time.getUTCHours()} ${date} *`;
}

async function schedules(app: AppProcess): Promise<SchedulesReport> {
  const { status, body } = await app.request<SchedulesReport>('GET', '/api/schedules');
  expect(status).toBe(200);
  return body;
}

async function lastOf(app: AppProcess, name: string) {
  return (await schedules(app)).schedules.find((schedule) => schedule.name === name)?.last ?? null;
}

async function migrations(app: AppProcess) {
  return (await app.request<{ migrations: { id: string; target: string }[] }>('GET', '/api/migrations')).body
    .migrations;
}

const MINUTE = 60_000;

it('a migration starts by the clock, once; what came due while the app was down is made up for, once', async () => {
  // Not so late in the minute that the app is not up when it ends.
  if (new Date().getUTCSeconds() > 40) await sleep(21_000);
  const soon = new Date(Math.ceil(Date.now() / MINUTE) * MINUTE);
  const missed = new Date(soon.getTime() + MINUTE);
  const app = await stage.app({
    ...stage.connections({ OLD: old, NEW: neu, THIRD: third }),
    SCHEDULED_MIGRATIONS: JSON.stringify([
      { name: 'soon', when: { cron: only(soon, '0') }, migration: { source: 'OLD', target: 'NEW' } },
      { name: 'broken', when: { cron: 'tomorrow' }, migration: { source: 'OLD', target: 'NEW' } },
    ]),
    SCHEDULED_MIGRATION_MISSED: JSON.stringify({
      when: { cron: only(missed, '5,10,15') },
      migration: { source: 'OLD', target: 'THIRD' },
    }),
  });
  expect(await schedules(app)).toMatchObject({
    schedules: [
      { name: 'soon', next: [{ at: soon.toISOString() }, {}, {}, {}, {}], last: null },
      { name: 'MISSED', last: null },
    ],
    mistakes: [{ path: 'SCHEDULED_MIGRATIONS.1.when.cron' }],
  });

  await until(async () => (await lastOf(app, 'soon'))?.state === 'completed', 90_000);
  const first = await lastOf(app, 'soon');
  expect(first?.due).toBe(soon.toISOString());
  expect(await compareServers(old, neu)).toEqual({ keys: 2_000, differences: [] });
  expect((await migrations(app)).map(({ id }) => id)).toEqual([first?.migration]);
  expect(await lastOf(app, 'MISSED')).toBeNull();

  await app.kill();
  await sleep(missed.getTime() + 17_000 - Date.now());
  await app.begin();
  await until(async () => (await lastOf(app, 'MISSED'))?.state === 'completed', 90_000);
  const second = await lastOf(app, 'MISSED');
  expect(second?.due).toBe(new Date(missed.getTime() + 15_000).toISOString());
  expect(await compareServers(old, third)).toEqual({ keys: 2_000, differences: [] });

  // After another life, and another look at the clock, nothing is made up for again.
  await app.stop();
  await app.begin();
  const next = Math.ceil(Date.now() / MINUTE) * MINUTE;
  await sleep(next + 3_000 - Date.now());
  expect((await migrations(app)).map(({ id }) => id).sort()).toEqual([first?.migration, second?.migration].sort());
  expect(app.log).toContain('SCHEDULED_MIGRATIONS.1.when.cron is wrong');
  expect(app.log).not.toContain('schedules could not be looked after');
});
