/** How often one that stands by says that it listens, and looks at whoever follows, ms. */
const BEAT_MS = 500;
/** How often it looks whether its feed lives, and at what no feed tells, ms. */
export const LOOK_MS = 1_000;

/** @param silenceSeconds after which one that says nothing is taken for gone */
export function beatMs(silenceSeconds: number): number {
  return Math.min(BEAT_MS, silenceSeconds * 100);
}

/** After so many marks more of one that stands by, it has looked at the source since, and written after that what it found. */
export function marksOfALook(silenceSeconds: number): number {
  return Math.ceil(LOOK_MS / beatMs(silenceSeconds)) + 2;
}
