import { keyOf, nameOf } from './changed-names';

/** A few are taken each second, so that many changes in one do not push out what was applied in others. */
const MOST_A_SECOND = 32;
const MOST = 1_024;
/** So many are compared. */
const MOST_COMPARED = 256;
/** What was applied within so long of the last sign of a server it may lose when it ends without a word (AOF each second, a replica), ms. */
const YOUNG_MS = 3_000;

/** A key that was applied, and has not changed since as far as the source told. */
export interface AppliedKey {
  readonly key: Buffer;
  /** Or else the source had it no more, and it was taken from the target. */
  readonly isThere: boolean;
  /** For how long it had not changed when the source gave its last sign, ms. */
  readonly ageMs: number;
}

/**
 * Some of the keys of one database that were brought to the target, to be held against a source that comes back as another process: it must
 * have them as they were.
 */
export class AppliedSample {
  /** In the order in which they were applied. */
  private readonly applied = new Map<string, { readonly at: number; readonly isThere: boolean }>();
  private second = { at: Number.NEGATIVE_INFINITY, taken: 0 };

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** A key was told to have changed. */
  told(key: Buffer): void {
    this.applied.delete(nameOf(key));
  }

  /** A key is on the target as it was on the source, and was not told to have changed since it was read. */
  add(name: string, isThere: boolean): void {
    const at = this.now();
    if (at - this.second.at >= 1_000) this.second = { at, taken: 0 };
    if (this.second.taken >= MOST_A_SECOND) return;
    this.second.taken++;
    // Some of each age stay.
    if (this.applied.size >= MOST)
      [...this.applied.keys()].forEach((old, i) => i % 2 === 0 && this.applied.delete(old));
    this.applied.set(name, { at, isThere });
  }

  has(key: Buffer): boolean {
    return this.applied.has(nameOf(key));
  }

  /** Those that a server must have. @param signedAt when it gave its last sign, by the same clock @param has whether a key is one of its own */
  keysAt(signedAt: number, has: (key: Buffer) => boolean = () => true): AppliedKey[] {
    const old = [...this.applied].filter(([name, { at }]) => signedAt - at >= YOUNG_MS && has(keyOf(name)));
    const step = Math.max(1, old.length / MOST_COMPARED);
    return Array.from({ length: Math.min(old.length, MOST_COMPARED) }, (_, i) => old[Math.floor(i * step)])
      .filter((each) => each !== undefined)
      .map(([name, { at, isThere }]) => ({ key: keyOf(name), isThere, ageMs: signedAt - at }));
  }

  /** Has no others any more than these. */
  keepOnly(keys: readonly Pick<AppliedKey, 'key'>[]): void {
    const names = new Set(keys.map(({ key }) => nameOf(key)));
    for (const name of this.applied.keys()) if (!names.has(name)) this.applied.delete(name);
  }

  /** Has what another one has, too. */
  adopt(other: AppliedSample): void {
    for (const [name, applied] of other.applied) this.applied.set(name, applied);
  }

  clear(): void {
    this.applied.clear();
  }
}

/** What a source that came back was seen to have of a sample. */
export interface SampleSeen {
  /** For how long each key had not changed before, ms, and whether it is another one, or gone. */
  readonly keys: readonly { readonly ageMs: number; readonly differs: boolean }[];
  /** For how long changes were told to nobody, ms. */
  readonly unheardMs: number;
  /** Of that, the time before the process that came back began: what was changed in it, that one does not count. */
  readonly uncountedMs: number;
  /** How many changes the process that came back counts since it began, at most; undefined where it does not tell. */
  readonly changes: number | undefined;
}

/** Fewer that differ than so many may have been changed on the target by somebody else. */
const LEAST_DIFFERING = 3;
/** Fewer than so many say nothing of what clients may have changed. */
const LEAST_OF_MANY = 20;

/**
 * Whether a source that came back has older data than it had: more keys of the sample differ than it counts changes since it began, and were
 * likely changed before that. Where it counts as many, or does not tell, most of a large sample must differ, and far more than would be
 * changed in such a time: a key that has not changed for a while is changed within a moment by the share that the moment is of both.
 */
export function isOlder({ keys, unheardMs, uncountedMs, changes }: SampleSeen): boolean {
  const differing = keys.filter(({ differs }) => differs).length;
  if (differing < LEAST_DIFFERING) return false;
  const mostIn = (ms: number) => {
    const expected = keys.reduce((sum, { ageMs }) => sum + ms / (ageMs + ms), 0);
    return 2 * expected + 4 * Math.sqrt(expected);
  };
  if (changes !== undefined && differing > changes + mostIn(uncountedMs)) return true;
  return keys.length >= LEAST_OF_MANY && differing >= keys.length / 2 && differing > mostIn(unheardMs);
}
