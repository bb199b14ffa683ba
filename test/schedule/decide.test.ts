import type { MigrationState } from '../../src/migration/rows';
import { adopt, decide, firstRow, requestIdOf, settled } from '../../src/schedule/decide';
import type { ScheduledRun, ScheduleRow } from '../../src/ledger/schedule-ledger';
import type { Schedule } from '../../src/schedule/schedule-settings';
import { aRequest } from '../tools/rows';

const nightly: Schedule = { name: 'Nightly', when: { cron: '0 0 2 * * *', zone: 'UTC' }, request: aRequest() };
const at = (text: string): number => Date.parse(`2026-11-${text}Z`);
const iso = (text: string): string => new Date(at(text)).toISOString();

const run = (due: string, changes: Partial<ScheduledRun> = {}): ScheduledRun => ({
  due: iso(due),
  migration: 'r1',
  state: 'started',
  claimedAt: iso(due),
  message: null,
  ...changes,
});
const row = (settledUntil: string, last: ScheduledRun | null = null): ScheduleRow => ({
  ...firstRow(nightly, at(settledUntil)),
  run: last,
  etag: 'e',
});
const ended = { state: 'completed' as MigrationState };
const running = { state: 'running' as MigrationState };

describe('a schedule', () => {
  it.each([
    [
      'that is new makes up for nothing that was before it',
      row('10T12:00'),
      undefined,
      '10T12:00',
      { kind: 'nothing' },
    ],
    ['waits for its time', row('10T12:00'), undefined, '11T01:59', { kind: 'nothing' }],
    ['begins at its time', row('10T12:00'), undefined, '11T02:00', { kind: 'begin', due: at('11T02:00') }],
    [
      'begins late where nobody looked in time',
      row('10T12:00'),
      undefined,
      '11T09:00',
      { kind: 'begin', due: at('11T02:00') },
    ],
    [
      'makes up for many missed runs once',
      row('10T12:00'),
      undefined,
      '20T09:00',
      { kind: 'begin', due: at('20T02:00') },
    ],
    ['runs once a time', row('11T02:01', run('11T02:00')), ended, '11T09:00', { kind: 'nothing' }],
    ['runs the next time', row('11T02:01', run('11T02:00')), ended, '12T02:00', { kind: 'begin', due: at('12T02:00') }],
    [
      'never runs beside itself',
      row('11T02:01', run('11T02:00')),
      running,
      '13T02:00',
      { kind: 'wait', due: at('13T02:00'), for: 'r1' },
    ],
    [
      'waits for nothing that is gone',
      row('11T02:01', run('11T02:00')),
      undefined,
      '12T02:00',
      { kind: 'begin', due: at('12T02:00') },
    ],
    [
      'goes on after a refusal',
      row('11T02:01', run('11T02:00', { state: 'refused' })),
      undefined,
      '12T02:00',
      { kind: 'begin', due: at('12T02:00') },
    ],
  ] as const)('%s', (_, known, migration, now, decision) => {
    expect(decide(nightly, known, migration, at(now))).toEqual(decision);
  });

  it.each([
    ['is tried again', '11T02:01', undefined, 'retry'],
    ['is tried again for a day', '12T01:59', undefined, 'retry'],
    ['gives way to the next', '12T02:00', undefined, 'begin'],
    ['does not give way once there is its migration', '12T02:00', running, 'retry'],
  ] as const)('a claimed run %s', (_, now, migration, kind) => {
    const claimed = row('10T12:00', run('11T02:00', { state: 'starting' }));
    expect(decide(nightly, claimed, migration, at(now)).kind).toBe(kind);
  });

  it('a claimed run does not give way while its start may be under way', () => {
    const often: Schedule = { ...nightly, when: { cron: '0 * * * * *', zone: 'UTC' } };
    const claimed = row('11T02:00', run('11T02:01', { state: 'starting' }));
    expect(decide(often, claimed, undefined, at('11T02:05')).kind).toBe('retry');
    expect(decide(often, claimed, undefined, at('11T02:12'))).toEqual({ kind: 'begin', due: at('11T02:12') });
  });

  it.each([
    ['PT6H', '11T08:05', 'begin'],
    ['PT6H', '11T08:06', 'nothing'],
    ['PT0S', '11T02:05', 'begin'],
    ['PT0S', '11T02:06', 'nothing'],
  ])('makes up for a missed run within %s: at %s %s', (catchUp, now, kind) => {
    expect(decide({ ...nightly, catchUp }, row('10T12:00'), undefined, at(now)).kind).toBe(kind);
  });
});

describe('what is settled', () => {
  it('goes up to when the run started, so that times missed before it are covered by it', () => {
    const after = settled(row('10T12:00'), run('11T02:00'), at('13T12:00'));
    expect(after.settledUntil).toBe(iso('13T12:00'));
    expect(settled(row('10T12:00'), run('11T02:00'), at('11T01:59')).settledUntil).toBe(iso('11T02:00'));
  });

  it('stays where the times stay, whenever the process began', () => {
    const known = row('10T12:00');
    expect(adopt(known, nightly, at('12T00:00'))).toBe(known);
  });

  it('begins anew where the times are others, and never goes back', () => {
    const earlier: Schedule = { ...nightly, when: { cron: '0 0 1 * * *', zone: 'UTC' } };
    const known = row('10T12:00', run('10T02:00'));
    expect(adopt(known, earlier, at('11T01:30'))).toMatchObject({ settledUntil: iso('11T01:30'), run: known.run });
    expect(adopt(known, earlier, at('09T00:00')).settledUntil).toBe(iso('10T12:00'));
    const pending = row('10T12:00', run('11T02:00', { state: 'starting' }));
    expect(adopt(pending, earlier, at('11T03:00')).run).toBeNull();
  });
});

it('the request of a run is named by the schedule and the time', () => {
  expect(requestIdOf(nightly, at('11T02:00'))).toBe('schedule:nightly:2026-11-11T02:00:00.000Z');
});
