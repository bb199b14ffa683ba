const numbers = new Intl.NumberFormat('en-US');

/** 800,000; a dash where nothing is known. */
export function count(value: number | null): string {
  return value === null ? '–' : numbers.format(value);
}

/** 800,000; "unknown" where a server does not tell. */
export function known(value: number | null): string {
  return value === null ? 'unknown' : numbers.format(value);
}

/** "1 key", "2 keys". */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** 6.1 s, 2 min 5 s, 1 h 2 min. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** 12.3 MiB. */
export function bytes(value: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let scaled = value;
  let unit = 0;
  while (scaled >= 1_024 && unit < units.length - 1) {
    scaled /= 1_024;
    unit++;
  }
  return `${unit === 0 ? count(scaled) : scaled.toFixed(1)} ${units[unit] ?? ''}`;
}

/** Both sides of a migration in a line; the target is empty where there is none. */
export function sidesText(source: string, target: string): string {
  return target === '' ? source : `${source} → ${target}`;
}
