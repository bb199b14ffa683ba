import type { MigrationReport } from './api.ts';
import { safeText } from '../src/basics/safe-text.ts';

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** 800,000; a dash where nothing is known. */
export function amount(value: number | null): string {
  return value === null ? '–' : whole.format(value);
}

/** As `amount`; "unknown" where a server does not tell. */
export function known(value: number | null): string {
  return value === null ? 'unknown' : whole.format(value);
}

/** 1.5M, 131k: for the axis of a chart. */
export const short = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 });

/** 8 s, 2 min 05 s, 1 h 02 min, 3 d 4 h. */
export function span(seconds: number): string {
  const all = Math.max(0, Math.round(seconds));
  const [d, h, m, s] = [Math.floor(all / 86_400), Math.floor(all / 3_600) % 24, Math.floor(all / 60) % 60, all % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  if (d > 0) return `${d} d ${h} h`;
  if (h > 0) return `${h} h ${two(m)} min`;
  return m > 0 ? `${m} min ${two(s)} s` : `${s} s`;
}

/** 0:08, 2:05, 1:02:00: for the axis of a chart. */
export function clock(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  const tail = String(Math.floor(seconds % 60)).padStart(2, '0');
  if (minutes < 60) return `${minutes}:${tail}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:${tail}`;
}

/** 12.3 MiB. */
export function size(bytes: number): string {
  const steps = bytes < 1_024 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10));
  const unit = ['B', 'KiB', 'MiB', 'GiB', 'TiB'][steps] ?? '';
  return `${(bytes / 1_024 ** steps).toFixed(steps === 0 ? 0 : 1)} ${unit}`;
}

/** skippedByFilter → skipped by filter. */
export function spoken(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** A text from a server as it can be shown without deceiving. */
export function shown(text: string, length = 400): string {
  return safeText(text, length);
}

/** 2026-01-01T10:00:00.000Z as the reader's own clock has it. */
export function moment(iso: string): string {
  const date = new Date(iso);
  return Number.isNaN(date.getTime())
    ? iso
    : date.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
}

/** What went wrong, for people. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'Something went wrong.';
}

/** What a converter found, a line for each number: those by names follow one another. */
export function factRows(facts: MigrationReport['conversions'][number]['facts']): string[][] {
  return Object.entries(facts).flatMap(([name, value]) => {
    const words = shown(spoken(name), 60);
    if (typeof value === 'number') return [[words, amount(value)]];
    if (typeof value === 'boolean') return [[words, value ? 'yes' : 'no']];
    return Object.entries(value).map(([of, number]) => [`${words}: ${shown(of, 60)}`, amount(number)]);
  });
}
