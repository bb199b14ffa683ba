import { MAX_TICKS } from './nrbf/primitive';
import type { DateTimeKind } from './values';

/** A .NET DateTime: ticks of 100 ns since 0001-01-01, as the clock shows them, and what the clock was. */
export interface ClockTime {
  readonly ticks: bigint;
  readonly dateTimeKind: DateTimeKind;
}

const TICKS_PER_MS = 10_000n;
const TICKS_PER_MINUTE = 600_000_000n;
/** Ticks of 1970-01-01. */
const UNIX_EPOCH = 621_355_968_000_000_000n;
const ISO = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,7}))?(Z|[+-]\d\d(?::?\d\d)?)?$/;
const MICROSOFT = /^\/Date\((-?\d{1,15})([+-]\d{4})?\)\/$/;
const TIME_SPAN = /^(-)?(?:(\d{1,8})\.)?(\d{1,2}):(\d\d):(\d\d)(?:\.(\d{1,7}))?$/;

/**
 * Reads the dates that Json.NET takes for DateTime (DateParseHandling.DateTime, RoundtripKind): ISO 8601 with a `T`,
 * and /Date(…)/. `Z` gives Utc, an offset Local, nothing Unspecified. Json.NET turns an offset into the local time of
 * its server; here the clock time stays as written, which is the same on a server in the zone where it was written.
 * Undefined for any other text.
 */
export function parseJsonDate(text: string): ClockTime | undefined {
  const iso = text.length >= 19 && text.length <= 40 ? ISO.exec(text) : null;
  if (iso !== null) {
    const [year, month, day, hour, minute, second] = iso.slice(1, 7).map(Number) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const date = new Date(0);
    date.setUTCFullYear(year, month - 1, day);
    date.setUTCHours(hour, minute, second);
    if (year < 1 || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
    if (hour > 23 || minute > 59 || second > 59) return undefined;
    const ticks = BigInt(date.getTime()) * TICKS_PER_MS + UNIX_EPOCH + BigInt((iso[7] ?? '').padEnd(7, '0'));
    return { ticks, dateTimeKind: iso[8] === undefined ? 'Unspecified' : iso[8] === 'Z' ? 'Utc' : 'Local' };
  }
  const unix = MICROSOFT.exec(text);
  if (unix === null) return undefined;
  const offset = unix[2];
  let ticks = BigInt(unix[1] ?? 0) * TICKS_PER_MS + UNIX_EPOCH;
  if (offset !== undefined) {
    const minutes = BigInt(offset.slice(1, 3)) * 60n + BigInt(offset.slice(3));
    ticks += (offset.startsWith('-') ? -minutes : minutes) * TICKS_PER_MINUTE;
  }
  if (ticks < 0n || ticks > MAX_TICKS) return undefined;
  return { ticks, dateTimeKind: offset === undefined ? 'Utc' : 'Local' };
}

/** A DateTime as text, like 2024-02-29T12:34:56.7891234Z (Local: without the zone, which is not known). */
export function dateTimeText(ticks: bigint, kind: DateTimeKind): string {
  const ms = (ticks - UNIX_EPOCH - (ticks % TICKS_PER_MS)) / TICKS_PER_MS;
  const fraction = (ticks % 10_000_000n).toString().padStart(7, '0').replace(/0+$/, '');
  const date = new Date(Number(ms)).toISOString().slice(0, 19);
  return `${date}${fraction === '' ? '' : `.${fraction}`}${kind === 'Utc' ? 'Z' : ''}${kind === 'Local' ? ' (local)' : ''}`;
}

/** The ticks of a TimeSpan in .NET's constant form, [-][d.]hh:mm:ss[.fffffff]. Undefined for any other text. */
export function parseTimeSpan(text: string): bigint | undefined {
  const match = TIME_SPAN.exec(text);
  if (match === null) return undefined;
  const [days, hours, minutes, seconds] = match.slice(2, 6).map((part) => BigInt(part || 0)) as [
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  if (hours > 23n || minutes > 59n || seconds > 59n) return undefined;
  const whole = ((days * 24n + hours) * 60n + minutes) * 60n + seconds;
  const ticks = whole * 10_000_000n + BigInt((match[6] ?? '').padEnd(7, '0'));
  const signed = match[1] === undefined ? ticks : -ticks;
  return BigInt.asIntN(64, signed) === signed ? signed : undefined;
}

/** A TimeSpan in .NET's constant form. */
export function timeSpanText(ticks: bigint): string {
  const abs = ticks < 0n ? -ticks : ticks;
  const two = (value: bigint): string => value.toString().padStart(2, '0');
  const seconds = abs / 10_000_000n;
  const days = seconds / 86_400n;
  const fraction = abs % 10_000_000n;
  const clock = `${two((seconds / 3600n) % 24n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}`;
  const tail = fraction === 0n ? '' : `.${fraction.toString().padStart(7, '0')}`;
  return `${ticks < 0n ? '-' : ''}${days === 0n ? '' : `${days}.`}${clock}${tail}`;
}
