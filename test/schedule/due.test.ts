import { latestDue, localText, nextDue, nextDues } from '../../src/schedule/due';
import { cronSchema, windowSchema, zoneOf, type When } from '../../src/schedule/when';

const cron = (expression: string, zone?: string): When => cronSchema.parse({ cron: expression, zone });
const window = (day: string, at: string, zone: string, before?: string): When =>
  windowSchema.parse({ window: { day, at, zone }, before });

const at = (text: string): number => Date.parse(text);
const utc = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString().replace('.000', '');

/** The next times after a moment, in UTC. */
const times = (when: When, after: string, count: number) => nextDues(when, at(after), count).map((due) => utc(due.at));

describe('an NCRONTAB expression', () => {
  it.each([
    ['0 30 2 * * *', ['2026-11-25T02:30:00Z', '2026-11-26T02:30:00Z', '2026-11-27T02:30:00Z']],
    ['*/20 59 23 * * *', ['2026-11-24T23:59:00Z', '2026-11-24T23:59:20Z', '2026-11-24T23:59:40Z']],
    ['0 5/25 * * * *', ['2026-11-24T10:05:00Z', '2026-11-24T10:30:00Z', '2026-11-24T10:55:00Z']],
    ['0 0 9-17/8 * * Mon-Fri', ['2026-11-24T17:00:00Z', '2026-11-25T09:00:00Z', '2026-11-25T17:00:00Z']],
    ['0 0 0 29 2 *', ['2028-02-29T00:00:00Z', '2032-02-29T00:00:00Z', '2036-02-29T00:00:00Z']],
    // Day of month and day of week must both match.
    ['0 0 0 13 * FRI', ['2027-08-13T00:00:00Z', '2028-10-13T00:00:00Z', '2029-04-13T00:00:00Z']],
  ])('%s goes by UTC where no zone is named', (expression, expected) => {
    expect(times(cron(expression), '2026-11-24T10:00:00.500Z', 3)).toEqual(expected);
  });

  it('goes by the clock of its zone, the day of the week too', () => {
    expect(times(cron('0 0 0 * * MON', 'Asia/Kolkata'), '2026-11-24T00:00:00Z', 2)).toEqual([
      '2026-11-29T18:30:00Z',
      '2026-12-06T18:30:00Z',
    ]);
  });

  it('never gives the moment it was asked for', () => {
    const due = at('2026-11-25T02:30:00Z');
    expect(nextDue(cron('0 30 2 * * *'), due)?.at).toBe(at('2026-11-26T02:30:00Z'));
    expect(nextDue(cron('0 30 2 * * *'), due - 1)?.at).toBe(due);
  });
});

describe('a maintenance window', () => {
  it('comes due so long before it', () => {
    const when = window('Sunday', '02:00', 'Europe/Berlin', 'PT2H');
    expect(nextDues(when, at('2026-11-24T10:00:00Z'), 2)).toEqual([
      { at: at('2026-11-28T23:00:00Z'), window: at('2026-11-29T01:00:00Z') },
      { at: at('2026-12-05T23:00:00Z'), window: at('2026-12-06T01:00:00Z') },
    ]);
  });

  it('comes due when it opens where nothing else is said', () => {
    expect(times(window('Tuesday', '10:00', 'UTC'), '2026-11-24T09:59:59.999Z', 2)).toEqual([
      '2026-11-24T10:00:00Z',
      '2026-12-01T10:00:00Z',
    ]);
  });

  it('may be a week away', () => {
    const when = window('Sunday', '00:30', 'America/New_York', 'P7D');
    expect(nextDue(when, at('2026-11-22T05:29:59Z'))).toEqual({
      at: at('2026-11-22T05:30:00Z'),
      window: at('2026-11-29T05:30:00Z'),
    });
    expect(nextDue(when, at('2026-11-22T05:30:00Z'))?.at).toBe(at('2026-11-29T05:30:00Z'));
  });

  it('is the day of its zone, not of UTC', () => {
    expect(times(window('Sunday', '01:00', 'Pacific/Auckland', 'PT30M'), '2026-06-01T00:00:00Z', 1)).toEqual([
      '2026-06-06T12:30:00Z',
    ]);
  });

  it.each([
    // Hours are hours, also over a change of the clock; days are days on the calendar.
    ['PT4H', '2026-03-29T00:00:00Z'],
    ['P1D', '2026-03-28T05:00:00Z'],
    ['P1DT1H', '2026-03-28T04:00:00Z'],
  ])('%s before 06:00 on the day that the clock is set forward', (before, expected) => {
    const when = window('Sunday', '06:00', 'Europe/Berlin', before);
    expect(times(when, '2026-03-27T00:00:00Z', 1)).toEqual([expected]);
  });
});

describe('where the clock is set forward', () => {
  it.each<[string, string, string, string[]]>([
    // A day before, the day of the change, a day after.
    ['Europe/Berlin', '0 30 1 * * *', '2026-03-27T12:00Z', ['28T00:30', '29T00:30', '29T23:30']],
    ['Europe/Berlin', '0 30 2 * * *', '2026-03-27T12:00Z', ['28T01:30', '29T01:00', '30T00:30']],
    ['Europe/Berlin', '0 0 3 * * *', '2026-03-27T12:00Z', ['28T02:00', '29T01:00', '30T01:00']],
    ['America/New_York', '0 30 2 * * *', '2026-03-07T00:00Z', ['07T07:30', '08T07:00', '09T06:30']],
    ['America/New_York', '0 30 3 * * *', '2026-03-07T00:00Z', ['07T08:30', '08T07:30', '09T07:30']],
    // By half an hour only: 02:00 becomes 02:30.
    ['Australia/Lord_Howe', '0 15 2 * * *', '2026-10-02T12:00Z', ['02T15:45', '03T15:30', '04T15:15']],
    ['Australia/Lord_Howe', '0 45 2 * * *', '2026-10-02T12:00Z', ['02T16:15', '03T15:45', '04T15:45']],
    // No such thing here.
    ['Asia/Kolkata', '0 30 2 * * *', '2026-03-27T12:00Z', ['27T21:00', '28T21:00', '29T21:00']],
  ])('%s: %s leaves out no day and comes at no other time', (zone, expression, after, expected) => {
    const month = after.slice(0, 8);
    expect(times(cron(expression, zone), after, 3)).toEqual(expected.map((text) => `${month}${text}:00Z`));
  });

  it('a time that is skipped and the moment of the change are one', () => {
    expect(times(cron('0 */30 * * * *', 'Europe/Berlin'), '2026-03-29T00:15:00Z', 4)).toEqual([
      '2026-03-29T00:30:00Z',
      '2026-03-29T01:00:00Z',
      '2026-03-29T01:30:00Z',
      '2026-03-29T02:00:00Z',
    ]);
  });

  it('times on both sides of a half-hour change keep their order', () => {
    expect(times(cron('0 20,35 2 * * *', 'Australia/Lord_Howe'), '2026-10-03T12:00:00Z', 3)).toEqual([
      '2026-10-03T15:30:00Z',
      '2026-10-03T15:35:00Z',
      '2026-10-04T15:20:00Z',
    ]);
  });

  it.each([
    ['Europe/Berlin', '2026-03-25T00:00Z', '2026-03-29T01:00:00Z', '2026-04-05T00:30:00Z'],
    ['America/New_York', '2026-03-04T00:00Z', '2026-03-08T07:00:00Z', '2026-03-15T06:30:00Z'],
  ])('%s: a window at 02:30 opens with the change', (zone, after, first, second) => {
    expect(times(window('Sunday', '02:30', zone), after, 2)).toEqual([first, second]);
  });
});

describe('where the clock is set back', () => {
  it.each<[string, string, string, string[]]>([
    ['Europe/Berlin', '0 30 2 * * *', '2026-10-23T12:00Z', ['24T00:30', '25T00:30', '26T01:30']],
    ['Europe/Berlin', '0 0 3 * * *', '2026-10-23T12:00Z', ['24T01:00', '25T02:00', '26T02:00']],
    ['America/New_York', '0 30 1 * * *', '2026-10-31T00:00Z', ['31T05:30', '+1', '+2']],
    // By half an hour: 02:00 becomes 01:30 again.
    ['Australia/Lord_Howe', '0 45 1 * * *', '2026-04-03T12:00Z', ['03T14:45', '04T14:45', '05T15:15']],
    ['Asia/Kolkata', '0 30 2 * * *', '2026-10-23T12:00Z', ['23T21:00', '24T21:00', '25T21:00']],
  ])('%s: %s comes once, at the first of both', (zone, expression, after, expected) => {
    const november = ['2026-11-01T05:30:00Z', '2026-11-02T06:30:00Z'];
    const wanted = expected.map((text) =>
      text.startsWith('+') ? november[Number(text) - 1] : `${after.slice(0, 8)}${text}:00Z`,
    );
    expect(times(cron(expression, zone), after, 3)).toEqual(wanted);
  });

  it('asked in the repeated hour, nothing of it comes again', () => {
    for (const after of ['2026-10-25T01:00:00Z', '2026-10-25T01:30:00Z', '2026-10-25T01:59:59Z']) {
      expect(times(cron('*/10 * * * * *', 'Europe/Berlin'), after, 1)).toEqual(['2026-10-25T02:00:00Z']);
    }
  });

  it.each([
    ['Europe/Berlin', '02:30', '2026-10-20T00:00Z', '2026-10-25T00:30:00Z', '2026-11-01T01:30:00Z'],
    ['America/New_York', '01:30', '2026-10-28T00:00Z', '2026-11-01T05:30:00Z', '2026-11-08T06:30:00Z'],
    ['Australia/Lord_Howe', '01:45', '2026-04-01T00:00Z', '2026-04-04T14:45:00Z', '2026-04-11T15:15:00Z'],
  ])('%s: a window at %s opens at the first of both', (zone, time, after, first, second) => {
    expect(times(window('Sunday', time, zone), after, 2)).toEqual([first, second]);
  });
});

describe('the next time, asked at all hours around the changes of the clock', () => {
  const changes: Readonly<Record<string, readonly string[]>> = {
    'Europe/Berlin': ['2026-03-29', '2026-10-25'],
    'America/New_York': ['2026-03-08', '2026-11-01'],
    'Asia/Kolkata': ['2026-03-29'],
    'Australia/Lord_Howe': ['2026-04-05', '2026-10-04'],
  };
  const expressions = ['0 30 2 * * *', '0 15,45 1-2 * * *', '0 0 */6 * * SAT,SUN'];
  const whens = Object.keys(changes).flatMap((zone) => [
    ...expressions.map((expression) => cron(expression, zone)),
    window('Sunday', '02:10', zone, 'PT45M'),
  ]);
  const hour = 3_600_000;

  it.each(whens)('is the same however late one asks, and lies in order: %j', (when) => {
    for (const day of changes[zoneOf(when)] ?? []) {
      const from = at(`${day}T00:00Z`) - 24 * hour;
      const all = nextDues(when, from, 20);
      for (let asked = from; asked < from + 48 * hour; asked += 1.75 * hour) {
        expect(nextDue(when, asked)).toEqual(all.find((due) => due.at > asked));
      }
      for (let asked = from; asked < from + 48 * hour; asked += 7.75 * hour) {
        expect(latestDue(when, from, asked)).toEqual(all.filter((due) => due.at <= asked).at(-1));
      }
    }
  });
});

describe('what is due now', () => {
  const nightly = cron('0 0 2 * * *', 'Europe/Berlin');

  it('is nothing until the time has come', () => {
    const last = at('2026-11-24T01:00:00Z');
    expect(latestDue(nightly, last, at('2026-11-25T00:59:59.999Z'))).toBeUndefined();
    expect(latestDue(nightly, last, at('2026-11-25T01:00:00Z'))?.at).toBe(at('2026-11-25T01:00:00Z'));
    expect(latestDue(nightly, last, last)).toBeUndefined();
    expect(latestDue(nightly, last, last - 1)).toBeUndefined();
  });

  it('is one, the last, when many were missed', () => {
    expect(latestDue(nightly, at('2025-11-24T01:00:00Z'), at('2026-11-25T09:00:00Z'))?.at).toBe(
      at('2026-11-25T01:00:00Z'),
    );
    const everySecond = cron('* * * * * *');
    expect(latestDue(everySecond, at('2020-01-01T00:00:00Z'), at('2026-11-25T09:00:00.700Z'))?.at).toBe(
      at('2026-11-25T09:00:00Z'),
    );
    const weekly = window('Sunday', '02:00', 'Europe/Berlin', 'PT2H');
    expect(latestDue(weekly, at('2026-09-01T00:00:00Z'), at('2026-11-24T00:00:00Z'))).toEqual({
      at: at('2026-11-21T23:00:00Z'),
      window: at('2026-11-22T01:00:00Z'),
    });
  });
});

it('tells a moment as the clock of the zone shows it', () => {
  const when = window('Sunday', '02:00', 'Australia/Lord_Howe');
  expect(localText(at('2026-10-03T15:30:00Z'), zoneOf(when))).toBe('2026-10-04T02:30:00+11:00');
  expect(localText(at('2026-03-29T00:59:59Z'), 'Europe/Berlin')).toBe('2026-03-29T01:59:59+01:00');
});
