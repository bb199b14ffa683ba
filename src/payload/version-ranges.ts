/** Payload versions, as ranges from … to, both of them included, in rising order. */
export type VersionRanges = readonly (readonly [from: number, to: number])[];

/** @param versions in rising order */
export function rangesOf(versions: readonly number[]): VersionRanges {
  const ranges: [number, number][] = [];
  for (const version of versions) {
    const last = ranges.at(-1);
    if (last?.[1] === version - 1) last[1] = version;
    else ranges.push([version, version]);
  }
  return ranges;
}

/** The versions that are in both. */
export function commonOf(one: VersionRanges, other: VersionRanges): VersionRanges {
  const common = one.flatMap(([from, to]) =>
    other.map(([first, last]): [number, number] => [Math.max(from, first), Math.min(to, last)]),
  );
  return common.filter(([from, to]) => from <= to).sort(([a], [b]) => a - b);
}

/** For people: "8 to 11 and 80". */
export function rangesText(ranges: VersionRanges): string {
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from} to ${to}`)).join(' and ');
}
