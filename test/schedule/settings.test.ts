import { readSchedules } from '../../src/schedule/schedule-settings';

const connections = { REDIS_OLD: 'redis://127.0.0.1:6379', REDIS_NEW: 'redis://127.0.0.1:6380' };
const migration = { source: 'OLD', target: 'NEW' };
const nightly = { name: 'nightly', when: { cron: '0 0 2 * * *' }, migration };
const window = { window: { day: 'Sunday', at: '02:00', zone: 'Europe/Berlin' }, before: 'PT2H' };

const read = (env: Record<string, string>) => readSchedules({ ...connections, ...env });
const together = (...entries: unknown[]) => read({ SCHEDULED_MIGRATIONS: JSON.stringify(entries) });

it('nothing is scheduled where nothing is set', () => {
  for (const env of [
    {},
    { SCHEDULED_MIGRATIONS: '' },
    { SCHEDULED_MIGRATIONS: '[]' },
    { SCHEDULED_MIGRATION_A: ' ' },
  ]) {
    expect(read(env as Record<string, string>)).toEqual({ schedules: [], mistakes: [] });
  }
});

it('schedules come together in one setting, or each in its own, which gives it its name', () => {
  const { schedules, mistakes } = read({
    SCHEDULED_MIGRATIONS: JSON.stringify([nightly, { name: 'weekly', when: window, catchUp: 'PT6H', migration }]),
    SCHEDULED_MIGRATION_MONTHLY: JSON.stringify({ when: { cron: '0 0 0 1 * *', zone: 'Asia/Kolkata' }, migration }),
    SCHEDULED_MIGRATION_X: JSON.stringify({ ...nightly, name: 'other-name' }),
  });
  expect(mistakes).toEqual([]);
  expect(schedules.map(({ name, when, catchUp }) => ({ name, when, catchUp }))).toEqual([
    { name: 'nightly', when: { cron: '0 0 2 * * *', zone: 'UTC' }, catchUp: undefined },
    { name: 'weekly', when: window, catchUp: 'PT6H' },
    { name: 'MONTHLY', when: { cron: '0 0 0 1 * *', zone: 'Asia/Kolkata' }, catchUp: undefined },
    { name: 'other-name', when: { cron: '0 0 2 * * *', zone: 'UTC' }, catchUp: undefined },
  ]);
  expect(schedules[0]?.request).toMatchObject({ source: 'OLD', target: 'NEW', mode: 'copy', databases: 'all' });
});

it('what is wrong is told with its place, all of it at once, and stops no other schedule', () => {
  const { schedules, mistakes } = read({
    SCHEDULED_MIGRATIONS: JSON.stringify([
      { name: 'a b', when: { cron: '0 0 2 * * *' }, migration },
      { name: 'c', when: { cron: '0 2 * * *' }, migration: { source: 'OLD', target: 'NOWHERE', more: 1 } },
      nightly,
      { ...nightly, name: 'NIGHTLY' },
    ]),
    SCHEDULED_MIGRATION_BROKEN: '{"secret',
    SCHEDULED_MIGRATION_GOOD: JSON.stringify({ when: window, migration }),
  });
  expect(schedules.map(({ name }) => name)).toEqual(['nightly', 'GOOD']);
  expect(mistakes).toEqual([
    { path: 'SCHEDULED_MIGRATIONS.0.name', message: expect.stringContaining('must be a letter') as string },
    { path: 'SCHEDULED_MIGRATIONS.1.when.cron', message: expect.stringContaining('six fields') as string },
    { path: 'SCHEDULED_MIGRATIONS.1.migration.more', message: 'is not a known field' },
    { path: 'SCHEDULED_MIGRATIONS.3.name', message: 'is the name of another schedule' },
    { path: 'SCHEDULED_MIGRATION_BROKEN', message: 'is not JSON' },
  ]);
});

it.each([
  ['the setting is no array', read({ SCHEDULED_MIGRATIONS: '{}' }), 'SCHEDULED_MIGRATIONS'],
  ['the setting is no JSON', read({ SCHEDULED_MIGRATIONS: '[' }), 'SCHEDULED_MIGRATIONS'],
  ['an entry is no object', together('x'), 'SCHEDULED_MIGRATIONS.0'],
  ['a setting is an array', read({ SCHEDULED_MIGRATION_A: '[]' }), 'SCHEDULED_MIGRATION_A'],
  ['a name is missing', together({ ...nightly, name: undefined }), 'SCHEDULED_MIGRATIONS.0.name'],
  ['a field is unknown', together({ ...nightly, extra: 1 }), 'SCHEDULED_MIGRATIONS.0.extra'],
  ['there is no time', together({ ...nightly, when: {} }), 'SCHEDULED_MIGRATIONS.0.when.cron'],
  ['catchUp is no duration', together({ ...nightly, catchUp: '6h' }), 'SCHEDULED_MIGRATIONS.0.catchUp'],
  [
    'a connection is not set',
    together({ ...nightly, migration: { source: 'OLD', target: 'GONE' } }),
    'SCHEDULED_MIGRATIONS.0.migration.target',
  ],
  [
    'a requestId is given',
    together({ ...nightly, migration: { ...migration, requestId: 'x' } }),
    'SCHEDULED_MIGRATIONS.0.migration.requestId',
  ],
])('%s', (_, { schedules, mistakes }, path) => {
  expect(schedules).toEqual([]);
  expect(mistakes.map((mistake) => mistake.path)).toEqual([path]);
});

it.each([
  ['cron', { cron: '0 0 2 30 2 *' }, 'never comes due'],
  ['cron', { cron: '0 60 2 * * *' }, 'NCRONTAB'],
  ['cron', { cron: '0 0 2 L * *' }, 'day of month'],
  ['cron', { cron: '0 0 2 * * MON#1' }, 'day of week'],
  ['cron', { cron: '@daily' }, 'six fields'],
  ['zone', { cron: '0 0 2 * * *', zone: 'Berlin' }, 'IANA'],
  ['zone', { cron: '0 0 2 * * *', zone: '+01:00' }, 'IANA'],
  ['before', { window: window.window, before: '2h' }, 'ISO 8601'],
  ['before', { window: window.window, before: '-PT2H' }, 'ISO 8601'],
  ['before', { window: window.window, before: 'P1M' }, 'ISO 8601'],
  ['before', { window: window.window, before: 'P8D' }, 'seven days'],
  ['window.day', { window: { ...window.window, day: 'Someday' } }, 'Sunday'],
  ['window.at', { window: { ...window.window, at: '24:00' } }, 'time of day'],
  ['window.zone', { window: { ...window.window, zone: 'Mars/Phobos' } }, 'IANA'],
  ['cron', { window: window.window, cron: '0 0 2 * * *' }, 'not a known field'],
])('when.%s is checked: %j', (path, when, words) => {
  const { mistakes } = together({ ...nightly, when });
  expect(mistakes).toEqual([
    { path: `SCHEDULED_MIGRATIONS.0.when.${path}`, message: expect.stringContaining(words) as string },
  ]);
});
