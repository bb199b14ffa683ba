/** The value in the middle; of an even number of them the lower one. NaN of none. */
export function median(values: readonly number[]): number {
  return middle(values, (value) => value) ?? Number.NaN;
}

/** As `median`, of things by a number of each; undefined of none. */
export function middle<T>(things: readonly T[], of: (thing: T) => number): T | undefined {
  return [...things].sort((a, b) => of(a) - of(b))[Math.floor((things.length - 1) / 2)];
}

/** The value that a share of all, 0 to 1, lies below; NaN of none. */
export function quantile(share: number, values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
