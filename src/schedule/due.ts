import { Temporal } from '@js-temporal/polyfill';
import { nextOnClock, parseNcrontab } from './ncrontab';
import { days, type CronWhen, type When, type WindowWhen } from './when';

/**
 * A moment at which a schedule comes due. Times are milliseconds since 1970.
 */
export interface Due {
  readonly at: number;
  /** When the maintenance window begins that it comes before; null for a cron expression. */
  readonly window: number | null;
}

/**
 * The first moment after `after` at which a schedule comes due; undefined when there is none.
 * Local times are read so: one that the clock skips in spring is the moment of the change (02:30 is then 03:00), one that
 * it shows twice in autumn is the first of both. So no time is left out and none comes twice.
 */
export function nextDue(when: When, after: number): Due | undefined {
  return 'window' in when ? nextBeforeWindow(when, after) : nextOfCron(when, after);
}

/** The next `count` moments after `after`, or fewer where there are no more. */
export function nextDues(when: When, after: number, count: number): Due[] {
  const dues: Due[] = [];
  for (let due = nextDue(when, after); due !== undefined && dues.length < count; due = nextDue(when, due.at)) {
    dues.push(due);
  }
  return dues;
}

/**
 * The last moment after `after`, and not after `now`, at which a schedule came due: what is to be run now, however many
 * moments before it were missed. Undefined when there was none.
 */
export function latestDue(when: When, after: number, now: number): Due | undefined {
  let latest = dueUntil(when, after, now);
  if (latest === undefined) return undefined;
  // The later one looks, the later the next one is: halve the time in which the last one may lie.
  let unknownTo = now;
  while (unknownTo - latest.at > 1) {
    const middle = Math.floor((latest.at + unknownTo) / 2);
    const due = dueUntil(when, middle, now);
    if (due === undefined) unknownTo = middle;
    else latest = due;
  }
  return dueUntil(when, latest.at, now) ?? latest;
}

function dueUntil(when: When, after: number, now: number): Due | undefined {
  const due = nextDue(when, after);
  return due !== undefined && due.at <= now ? due : undefined;
}

function nextOfCron({ cron, zone }: CronWhen, after: number): Due | undefined {
  const expression = parseNcrontab(cron);
  let local = nextOnClock(expression, inZone(after, zone).toPlainDateTime());
  while (local !== undefined) {
    const time = readLocal(local, zone);
    if (time.epochMilliseconds > after) return { at: time.epochMilliseconds, window: null };
    // The clock was set back and shows times again that were here already: go on where it shows new ones.
    const change = time.getTimeZoneTransition('next') ?? time;
    local = nextOnClock(expression, change.subtract({ milliseconds: 1 }).toPlainDateTime());
  }
  return undefined;
}

function nextBeforeWindow({ window, before }: WindowWhen, after: number): Due {
  const weekday = days.indexOf(window.day) + 1;
  const time = Temporal.PlainTime.from(window.at);
  const today = inZone(after, window.zone).toPlainDate();
  let date = today.subtract({ days: (today.dayOfWeek - weekday + 7) % 7 });
  for (;;) {
    const opens = readLocal(date.toPlainDateTime(time), window.zone);
    const at = opens.subtract(before).epochMilliseconds;
    if (at > after) return { at, window: opens.epochMilliseconds };
    date = date.add({ weeks: 1 });
  }
}

/** Reads a local time as said at `nextDue`. */
function readLocal(local: Temporal.PlainDateTime, zone: string): Temporal.ZonedDateTime {
  const earlier = local.toZonedDateTime(zone, { disambiguation: 'earlier' });
  const isSkipped = !earlier.toPlainDateTime().equals(local);
  return isSkipped ? (earlier.getTimeZoneTransition('next') ?? earlier) : earlier;
}

function inZone(at: number, zone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone);
}

/** A moment as the clock of a zone shows it, with its offset: `2026-03-29T03:30:00+02:00`. */
export function localText(at: number, zone: string): string {
  return inZone(at, zone).toString({ timeZoneName: 'never', smallestUnit: 'second' });
}
