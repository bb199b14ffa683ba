import { createHash } from 'node:crypto';
import { z } from 'zod';

/** Keys that are told to be done ahead of a cursor; more than a page seldom has. */
const MOST_KEYS = 20_000;
/** Bytes of notes. */
const MOST_NOTES = 300_000;

const hash = z.string().length(22);
const amount = z.number().int().min(0);
/**
 * Of the work on a key: steps since it began anew, the most that there ever were, how often it began anew since it came to that, and the
 * steps that count as progress.
 */
const steps = z.object({ now: amount, most: amount, anew: amount, counted: amount });
type Steps = z.infer<typeof steps>;

/** So often what was done may be lost, and done again, before that is no progress any more: as when a full target is given room. */
const MOST_ANEW = 3;
const schema = z.object({
  done: z.array(hash),
  notes: z.record(z.string(), z.record(hash, z.unknown())),
  steps: z.record(z.string(), z.record(hash, steps)).default({}),
});

/**
 * What a note says of the work on its key: a step further; no further than before; begun anew, since what was done is lost; or begun
 * anew in a way that is not begun so again, of which there are few.
 */
export type Step = 'further' | 'same' | 'anew' | 'otherwise';

/** Notes of one kind about keys, in plain data. */
export interface KeyNotes {
  get(key: Buffer): unknown;
  /**
   * @param note undefined where there is nothing to note any more
   * @param step "further" where it is not given
   */
  set(key: Buffer, note: unknown, step?: Step): void;
}

/**
 * What was done ahead of a range's cursor, in the page that begins there: keys that are done and counted, and how far the work on
 * others got. It is written with the row, so that a page, or a key, that needs longer than a message's time is gone on with.
 */
export class PagePlace {
  /** As they came out of storage: a page is not always cut as it was. */
  private readonly earlier = new Set<string>();
  private own: Buffer[] = [];
  /** Called whenever the work on a key has got further than it was. Its end may be lost again, and all of it be done once more. */
  onNote: () => void = () => undefined;
  private readonly kinds = new Map<string, Map<string, unknown>>();
  /** By kinds and keys, as the notes. */
  private readonly steps = new Map<string, Map<string, Steps>>();
  /** As it was read. */
  private begun: ReadonlyMap<string, ReadonlyMap<string, Steps>> = new Map();

  /** @param packed what `pack` gave; what cannot be read counts as undefined */
  static read(packed: Buffer | undefined): PagePlace | undefined {
    if (packed === undefined) return undefined;
    const place = new PagePlace();
    try {
      const { done, notes, steps } = schema.parse(JSON.parse(packed.toString('utf8')));
      for (const one of done) place.earlier.add(one);
      for (const [kind, byKey] of Object.entries(notes)) place.kinds.set(kind, new Map(Object.entries(byKey)));
      for (const [kind, byKey] of Object.entries(steps)) place.steps.set(kind, new Map(Object.entries(byKey)));
      for (const [kind, byKey] of place.steps) {
        // Where there was no room for a note, the work begins anew.
        for (const [key, one] of byKey) if (notes[kind]?.[key] === undefined) byKey.set(key, stepped(one, 'anew').next);
      }
      place.begun = new Map([...place.steps].map(([kind, byKey]) => [kind, new Map(byKey)]));
      return place;
    } catch {
      return undefined;
    }
  }

  get isEmpty(): boolean {
    return this.earlier.size === 0 && this.own.length === 0 && [...this.kinds.values()].every(({ size }) => size === 0);
  }

  /** Whether the work on a key that is not done got further than any worker before. */
  get isFurther(): boolean {
    return [...this.steps].some(([kind, byKey]) =>
      [...byKey].some(([key, { counted }]) => counted > (this.begun.get(kind)?.get(key)?.counted ?? 0)),
    );
  }

  /** Whether an earlier worker has done a key. */
  has(key: Buffer): boolean {
    return this.earlier.size > 0 && this.earlier.has(hashOf(key));
  }

  /** Whether so many more keys can be told to be done. */
  hasRoomFor(keys: number): boolean {
    return this.earlier.size + this.own.length + keys <= MOST_KEYS;
  }

  add(keys: readonly Buffer[]): void {
    for (const key of keys) this.own.push(key);
  }

  /** The cursor has moved behind all that was added, and behind these keys of earlier workers. */
  passed(keys: readonly Buffer[]): void {
    if (this.own.length > 0) this.own = [];
    for (const key of keys) this.earlier.delete(hashOf(key));
  }

  /** Forgets all of it: the range begins at its start again. */
  clear(): void {
    this.earlier.clear();
    this.own = [];
    this.kinds.clear();
    this.steps.clear();
  }

  notes(kind: string): KeyNotes {
    const byKey = this.kinds.get(kind) ?? new Map<string, unknown>();
    const stepsByKey = this.steps.get(kind) ?? new Map<string, Steps>();
    this.kinds.set(kind, byKey);
    this.steps.set(kind, stepsByKey);
    return {
      get: (key) => (byKey.size === 0 ? undefined : byKey.get(hashOf(key))),
      set: (key, note, step = 'further') => {
        if (note === undefined) {
          if (byKey.size === 0) return;
          byKey.delete(hashOf(key));
          stepsByKey.delete(hashOf(key));
          return;
        }
        const hash = hashOf(key);
        byKey.set(hash, note);
        const { isFurther, next } = stepped(stepsByKey.get(hash) ?? atFirst, step);
        stepsByKey.delete(hash);
        stepsByKey.set(hash, next);
        if (isFurther) this.onNote();
      },
    };
  }

  /** In less than 1 MiB: of notes, the longest are left out where they are too many, and what they tell of is begun anew. */
  pack(): Buffer {
    const notes = [...this.kinds]
      .flatMap(([kind, byKey]) => [...byKey].map(([key, note]) => ({ kind, key, text: JSON.stringify(note) })))
      .sort((one, other) => one.text.length - other.text.length);
    const texts = new Map<string, string[]>();
    let bytes = 0;
    for (const { kind, key, text } of notes) {
      bytes += text.length;
      if (bytes > MOST_NOTES) break;
      texts.set(kind, [...(texts.get(kind) ?? []), `"${key}":${text}`]);
    }
    const done = JSON.stringify([...this.earlier, ...this.own.map(hashOf)]);
    const kinds = [...texts].map(([kind, each]) => `"${kind}":{${each.join(',')}}`);
    const steps = JSON.stringify(Object.fromEntries([...this.steps].map(([kind, byKey]) => [kind, latest(byKey)])));
    return Buffer.from(`{"done":${done},"notes":{${kinds.join(',')}},"steps":${steps}}`);
  }
}

/** Of how many keys of a kind it is kept how far they got, the latest. */
const MOST_STEPS = 1_000;

function latest<T>(byKey: ReadonlyMap<string, T>): Readonly<Record<string, T>> {
  return Object.fromEntries([...byKey].slice(-MOST_STEPS));
}

const atFirst: Steps = { now: 0, most: 0, anew: 0, counted: 0 };

function stepped(before: Steps, step: Step): { readonly isFurther: boolean; readonly next: Steps } {
  const { now, most, anew, counted } = before;
  if (step === 'otherwise') return { isFurther: true, next: { ...atFirst, counted: counted + 1 } };
  if (step === 'anew') return { isFurther: false, next: { ...before, now: 0, anew: anew + 1 } };
  if (step === 'same') return { isFurther: false, next: before };
  const isMost = now + 1 > most;
  const isFurther = isMost || anew <= MOST_ANEW;
  return {
    isFurther,
    next: {
      now: now + 1,
      ...(isMost ? { most: now + 1, anew: 0 } : { most, anew }),
      counted: counted + (isFurther ? 1 : 0),
    },
  };
}

function hashOf(key: Buffer): string {
  return createHash('sha256').update(key).digest().subarray(0, 16).toString('base64url');
}
