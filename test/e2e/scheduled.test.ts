import { setTimeout as sleep } from 'node:timers/promises';
import type { SchedulesReport } from '../../src/schedule/report-schedules';
import { type AppProcess, until } from '../tools/app-process';
import { fill } from './support/fill';
import { compareServers, Stage, type Side } from '../tools/stage';

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
});

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

async function completed(app: AppProcess, name: string) {
  await until(async () => (await lastOf(app, name))?.state === 'completed', 240_000);
  return lastOf(app, name);
}

async function migrations(app: AppProcess) {
  return (await app.request<{ migrations: { id: string; target: string }[] }>('GET', '/api/migrations')).body
    .migrations;
}

const past = (time: Date): Promise<void> => sleep(Math.max(0, time.getTime() + 100 - Date.now()));

/**
 * An app that has looked at its schedules, and told them, before the first is due: where starting it took longer,
 * another one with more time. What is due begins with a second that five divides.
 * @param end what else is to be done before
 */
async function lookedBefore(
  target: Side,
  settings: (due: Date) => Record<string, string>,
  end: (app: AppProcess) => Promise<void> = () => Promise.resolve(),
) {
  for (let ahead = 5_000; ; ahead *= 2) {
    const due = new Date(Math.ceil((Date.now() + ahead) / 5_000) * 5_000);
    const app = await stage.app({ ...stage.connections({ OLD: old, TARGET: target }), ...settings(due) });
    await app.fire('scheduled');
    const told = await schedules(app);
    await end(app);
    if (Date.now() < due.getTime()) return { app, due, told };
    await app.remove();
    await target.client.flushall();
  }
}

it('a migration starts by the clock, once', async () => {
  const { app, due, told } = await lookedBefore(neu, (soon) => ({
    SCHEDULED_MIGRATIONS: JSON.stringify([
      {
        name: 'soon',
        when: { cron: only(soon, `${soon.getUTCSeconds()}`) },
        migration: { source: 'OLD', target: 'TARGET' },
      },
      { name: 'broken', when: { cron: 'tomorrow' }, migration: { source: 'OLD', target: 'TARGET' } },
    ]),
  }));
  expect(told).toMatchObject({
    schedules: [{ name: 'soon', next: [{ at: due.toISOString() }, {}, {}, {}, {}], last: null }],
    mistakes: [{ path: 'SCHEDULED_MIGRATIONS.1.when.cron' }],
  });

  await past(due);
  await app.fire('scheduled');
  const last = await completed(app, 'soon');
  expect(last?.due).toBe(due.toISOString());
  expect(await compareServers(old, neu)).toEqual({ keys: 2_000, differences: [] });
  await app.fire('scheduled');
  expect((await migrations(app)).map(({ id }) => id)).toEqual([last?.migration]);
  expect(app.log).toContain('SCHEDULED_MIGRATIONS.1.when.cron is wrong');
  expect(app.log).not.toContain('schedules could not be looked after');
});

it('what came due while the app was down is made up for, once', async () => {
  const { app, due, told } = await lookedBefore(
    third,
    (missed) => {
      const second = missed.getUTCSeconds();
      const when = { cron: only(missed, `${second},${second + 1},${second + 2}`) };
      return { SCHEDULED_MIGRATION_MISSED: JSON.stringify({ when, migration: { source: 'OLD', target: 'TARGET' } }) };
    },
    (living) => living.kill(),
  );
  expect(told).toMatchObject({ schedules: [{ name: 'MISSED', last: null }], mistakes: [] });
  const latest = new Date(due.getTime() + 2_000);
  await past(latest);
  await app.begin();
  await app.fire('scheduled');
  const last = await completed(app, 'MISSED');
  expect(last?.due).toBe(latest.toISOString());
  expect(await compareServers(old, third)).toEqual({ keys: 2_000, differences: [] });

  // After another life, and another look at the clock, nothing is made up for again.
  await app.stop();
  await app.begin();
  await app.fire('scheduled');
  expect((await migrations(app)).map(({ id }) => id)).toEqual([last?.migration]);
  expect(app.log).not.toContain('schedules could not be looked after');
});
