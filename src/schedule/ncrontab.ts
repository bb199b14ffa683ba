import { Temporal } from '@js-temporal/polyfill';
import { Cron } from 'croner';

const NAMES = {
  month: 'JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC',
  day: 'SUN|MON|TUE|WED|THU|FRI|SAT',
};

const numbers = /^[\d*,/-]+$/;

/** seconds, minutes, hours, day of month, month, day of week: what a field may be made of. */
const fields: readonly { readonly name: string; readonly made: RegExp }[] = [
  { name: 'seconds', made: numbers },
  { name: 'minutes', made: numbers },
  { name: 'hours', made: numbers },
  { name: 'day of month', made: numbers },
  { name: 'month', made: new RegExp(`^(?:[\\d*,/-]|${NAMES.month})+$`, 'i') },
  { name: 'day of week', made: new RegExp(`^(?:[\\d*,/-]|${NAMES.day})+$`, 'i') },
];

/** An expression that was read. */
export interface Ncrontab {
  readonly pattern: Cron;
}

/**
 * Reads an expression of six fields, as timer triggers have them. Day of month and day of week must both match.
 * @throws Error whose message says what is wrong with it
 */
export function parseNcrontab(expression: string): Ncrontab {
  const parts = expression.trim().split(/\s+/);
  if (parts.length !== fields.length) {
    throw new Error('must have six fields, seconds first: "0 30 2 * * *" is 02:30 every day');
  }
  fields.forEach(({ name, made }, index) => {
    if (!made.test(parts[index] ?? '')) throw new Error(`has a field that cannot be read: ${name}`);
  });
  try {
    // The library reads the pattern; zones are not left to it (see `nextOnClock`).
    return { pattern: new Cron(parts.join(' '), { timezone: 'UTC', legacyMode: false, paused: true }) };
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^Cron\w*: /, '') : '';
    throw new Error(`is not an NCRONTAB expression: ${reason}`, { cause: error });
  }
}

/**
 * The first time after another one that a clock on the wall shows and the expression names, whatever zone the clock is
 * in; undefined when there is none.
 */
export function nextOnClock({ pattern }: Ncrontab, after: Temporal.PlainDateTime): Temporal.PlainDateTime | undefined {
  const next = pattern.nextRun(new Date(after.toZonedDateTime('UTC').epochMilliseconds));
  if (next === null) return undefined;
  return Temporal.Instant.fromEpochMilliseconds(next.getTime()).toZonedDateTimeISO('UTC').toPlainDateTime();
}
