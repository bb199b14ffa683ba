import { Temporal } from '@js-temporal/polyfill';
import { z } from 'zod';
import { nextOnClock, parseNcrontab } from './ncrontab';

/** The days as settings name them, in ISO order: Monday is 1. */
export const days = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'] as const;

const LONGEST_BEFORE = Temporal.Duration.from({ days: 7 });

const zone = z.string().refine(isZone, 'is not a time zone of the IANA database, such as "Europe/Berlin" or "UTC"');

/** A length of time in days, hours, minutes and seconds, not negative. */
export const durationText = z
  .string()
  .refine(isDuration, 'must be an ISO 8601 duration in days, hours, minutes and seconds, such as "PT2H"');

/** At the times of an NCRONTAB expression, read on the clock of a zone. */
export const cronSchema = z.strictObject({
  cron: z
    .string()
    .max(256)
    .superRefine((text, context) => {
      const mistake = mistakeIn(text);
      if (mistake !== undefined) context.addIssue({ code: 'custom', message: mistake });
    }),
  zone: zone.default('UTC'),
});

/** So long before a weekly maintenance window that begins at a local time. */
export const windowSchema = z.strictObject({
  window: z.strictObject({
    day: z.enum(days),
    at: z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day, such as "02:00"'),
    zone,
  }),
  before: durationText
    .refine((text) => !isDuration(text) || isAtMost(text, LONGEST_BEFORE), 'must be seven days at most')
    .default('PT0S'),
});

export type CronWhen = z.output<typeof cronSchema>;
export type WindowWhen = z.output<typeof windowSchema>;

/** When a schedule comes due. */
export type When = CronWhen | WindowWhen;

/** The zone whose clock a schedule goes by. */
export function zoneOf(when: When): string {
  return 'window' in when ? when.window.zone : when.zone;
}

/** Milliseconds of a duration, days as 24 hours. */
export function millisecondsOf(duration: string): number {
  return Temporal.Duration.from(duration).total('milliseconds');
}

function isZone(text: string): boolean {
  // Offsets such as "+01:00" know no daylight saving, and are most likely meant to.
  if (!/^[A-Za-z]/.test(text)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: text });
    return true;
  } catch {
    return false;
  }
}

function isDuration(text: string): boolean {
  try {
    const { sign, years, months, weeks } = Temporal.Duration.from(text);
    return sign >= 0 && years === 0 && months === 0 && weeks === 0;
  } catch {
    return false;
  }
}

function isAtMost(text: string, limit: Temporal.Duration): boolean {
  return Temporal.Duration.compare(Temporal.Duration.from(text), limit) <= 0;
}

function mistakeIn(expression: string): string | undefined {
  try {
    const anyTime = Temporal.PlainDateTime.from('2024-01-01');
    return nextOnClock(parseNcrontab(expression), anyTime) === undefined ? 'never comes due' : undefined;
  } catch (error) {
    return error instanceof Error ? error.message : 'is not an NCRONTAB expression';
  }
}
