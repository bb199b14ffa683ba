import { endOfRange, mayReachInto, shareAhead, type CursorRange } from '../keyspace/cursor';
import { adaptCount, cutToRange, nextCount } from '../keyspace/page-size';
import type { Converter, Group } from '../convert/converter';
import type { ConvertSource } from '../convert/file-keys';
import { addCounts, noCounts, type Counts } from '../migration/counts';
import { sortByConverter } from './sort-by-converter';
import type { ChunkBudget } from './by-commands';
import type { Pace } from './governor';
import type { PageReader, ReadKeys, ScannedKeys } from './page-reader';
import type { Selection } from '../migration/selection';

/** A piece of the range's keys, to be worked on together. */
export interface Part<Seen = never> {
  readonly page: ReadKeys;
  /** What the reader saw of exactly the page's keys. */
  readonly seen?: Seen | undefined;
  /** What is settled of the keys that SCAN gave with this part, before anything is written. */
  readonly counts: Partial<Counts>;
  /** Keys that a converter has read, to be written by it. */
  readonly claims: readonly Claim[];
  /** The names of all keys that converters took, with those that lead no group. */
  readonly claimed?: readonly Buffer[];
  /** Keys besides those of the page that are settled with this part: not selected, repeated, or taken by converters. */
  readonly others?: readonly Buffer[];
  /** Keys that SCAN gave with this part and that were done before: they are in no counts. */
  readonly ahead?: readonly Buffer[];
  /** Where the walk goes on once this part and all before it are written; undefined inside a page. */
  readonly next: bigint | undefined;
  /** The keys may be those of other ranges too: the table has shrunk to fewer buckets than there are ranges. */
  readonly isShared?: boolean;
  /** Bytes taken from the budget, to be given back when the work on the part is over. */
  readonly taken: number;
}

/** What one converter has read of a page. */
export interface Claim {
  readonly converter: Converter;
  readonly groups: readonly Group[];
}

export interface WalkOptions {
  readonly range: CursorRange;
  readonly start: bigint;
  /** Keys that the whole range should have. */
  readonly expectedKeys: number;
  /** Cursors are places in a bit-reversed walk; otherwise the range is the whole database and its cursors mean nothing. */
  readonly cursorOrder: boolean;
  /** No page goes beyond the range, whatever its COUNT. */
  readonly staysInside?: boolean | undefined;
  /** Server time that one call should take, microseconds. */
  readonly pageMicros: number;
  /** COUNT of the first page, where its rates allow it. */
  readonly firstCount: number;
  /** Pages shrink for their time even where they are so light that it is not of their making. */
  readonly evenIfLight: boolean;
  readonly selection: Selection;
  /** Each claims keys by name; the first one that does gets them. */
  readonly converters: readonly Converter[];
  readonly source: ConvertSource;
  /** Whether the next page's values are read; otherwise its keys are only named. */
  readonly wantsValues: () => boolean;
  readonly budget: ChunkBudget;
  readonly pace: Pace;
  /** Keys that were done and counted before. */
  readonly ahead?: { has(key: Buffer): boolean };
  /** The first page was too much once: it is cut as small as can be, and its parts have one key each. */
  readonly bitByBit?: boolean;
  /** Runs one call to the server, again after trouble that passes. */
  readonly attempt: <T>(call: () => Promise<T>) => Promise<T>;
}

/** A page's bytes are not known before it is read: this much is taken at first. */
const FIRST_GUESS = 64 * 1_024;
/** Keys of a page that converters look at: what they read waits in memory as long as the page does. */
const CONVERTED_COUNT = 250;
/** How many keys of a page may come again at the start of the next one, when the table shrinks in between. */
const BORDER_KEYS = 16;

/**
 * Walks a range page by page. A page that went beyond the range's end is read again with a smaller COUNT, down to one
 * bucket, so that neighbouring ranges share no key; keys that a shrinking table gives again are found and dropped.
 */
export async function* readRange<Seen = never>(
  reader: PageReader<Seen>,
  options: WalkOptions,
): AsyncGenerator<Part<Seen>, void, undefined> {
  const { range, cursorOrder, selection, converters, budget, pace } = options;
  const border = new Border();
  let cursor = options.start;
  let count = options.bitByBit === true ? 1 : Math.min(options.firstCount, pace.mostKeys());
  let emptyPages = 0;
  let guess = FIRST_GUESS;
  let { bitByBit = false } = options;
  /** For calls made while `guess` is taken. */
  const attempt: WalkOptions['attempt'] = async (call) => {
    try {
      return await options.attempt(call);
    } catch (error) {
      budget.give(guess);
      throw error;
    }
  };
  for (;;) {
    const wantsValues = options.wantsValues();
    const fused = selection.all && converters.length === 0 && wantsValues;
    // The only range of a database ends with its table and cannot go beyond.
    const cut =
      cursorOrder && range.bits > 0 && options.staysInside !== true
        ? cutToRange(count, options.expectedKeys * shareAhead(range, cursor), emptyPages)
        : count;
    await pace.turn();
    await budget.take(guess);
    let scanned: ScannedKeys<Seen> & { readonly page?: ReadKeys };
    if (fused) {
      const { next, page } = await attempt(() => reader.scanAndRead(cursor, cut));
      scanned = { next, keys: page.keys, types: [], micros: page.micros, page };
    } else scanned = await attempt(() => reader.scan(cursor, cut, selection.needsTypes));
    let { micros } = scanned;
    const { ended, beyond } = cursorOrder
      ? endOfRange(range, scanned.next)
      : { ended: scanned.next === 0n, beyond: false };
    emptyPages = scanned.keys.length === 0 ? emptyPages + 1 : 0;
    if (beyond && scanned.keys.length > 0 && cut > 1) {
      // The border lies somewhere inside: look again, closer.
      budget.give(guess);
      emptyPages = 0;
      count = Math.max(1, Math.floor(cut / 4));
      continue;
    }
    // With COUNT 1 all keys of a reply come from its last bucket: beyond the end they are the next range's.
    const foreign = beyond && scanned.keys.length > 0 && !mayReachInto(range, scanned.next);
    const given = foreign ? [] : scanned.keys;
    pace.tookKeys(given.length);
    const ahead = new Set(given.filter((key) => options.ahead?.has(key) === true));
    const keys = ahead.size === 0 ? given : given.filter((key) => !ahead.has(key));

    const repeated = border.repeatedIn(keys);
    let { page } = scanned;
    let seen: Seen | undefined;
    let counts: Partial<Counts> = { repeats: repeated.size };
    let claims: readonly Claim[] = [];
    let claimed: readonly Buffer[] = [];
    let claimedBytes = 0;
    if (page === undefined) {
      const types = keys === scanned.keys ? scanned.types : typesOf(keys, scanned);
      const wanted = keys.filter((key, i) => !repeated.has(i) && selection.wants(key, types[i]));
      const filtered = { ...counts, skippedByFilter: keys.length - repeated.size - wanted.length };
      const sorted = await attempt(() => sortByConverter(options.source, converters, wanted));
      ({ claims, claimed } = sorted);
      counts = addCounts(addCounts(noCounts, filtered), sorted.counts);
      claimedBytes = sorted.bytes;
      const { plain } = sorted;
      page = wantsValues && plain.length > 0 ? await attempt(() => reader.read(plain)) : named(plain);
      if (!wantsValues && isSame(plain, scanned.keys)) ({ seen } = scanned);
      micros = Math.max(micros, page.micros);
    } else if (keys !== scanned.keys || repeated.size > 0) {
      const kept = new Set(keys.filter((_, i) => !repeated.has(i)));
      page = pick(page, (_, key) => kept.has(key));
    }
    border.remember(keys);
    budget.correct(guess, page.bytes + claimedBytes);

    const last = Math.max(cut, Math.min(count, cut * 2));
    micros = Math.max(micros, pace.slowestMicros());
    count = options.evenIfLight
      ? adaptCount(last, micros, options.pageMicros)
      : nextCount(last, micros, options.pageMicros, page.bytes + claimedBytes);
    count = Math.min(count, pace.mostKeys(), converters.length > 0 ? CONVERTED_COUNT : count);

    const others = lackingIn(page, keys);
    const isShared = beyond && given.length > 0;
    let head: Head<Seen> = { counts, claims, claimed, seen, others, ahead: [...ahead], isShared };
    let [first, rest] = splitLater(page);
    let taken = page.bytes + claimedBytes;
    while (rest.keys.length > 0) {
      yield* partsOf(first, head, undefined, taken, bitByBit, budget);
      head = { counts: {}, claims: [] };
      await budget.take(guess);
      const names = rest.keys;
      const more = await attempt(() => reader.read(names));
      budget.correct(guess, more.bytes);
      taken = more.bytes;
      [first, rest] = splitLater(more);
    }
    guess = Math.max(FIRST_GUESS, Math.ceil((page.bytes + claimedBytes) * 1.25));
    yield* partsOf(first, head, scanned.next, taken, bitByBit, budget);
    bitByBit = false;
    if (ended) return;
    cursor = scanned.next;
  }
}

type Head<Seen> = Pick<Part<Seen>, 'counts' | 'claims' | 'claimed' | 'seen' | 'others' | 'ahead' | 'isShared'>;

/**
 * What was read, as one part, or as one for each key; the first has what goes with the page. Whoever takes a part gives back its bytes;
 * those of parts that nobody came for are given back here.
 */
function* partsOf<Seen>(
  page: ReadKeys,
  head: Head<Seen>,
  next: bigint | undefined,
  taken: number,
  bitByBit: boolean,
  budget: Pick<ChunkBudget, 'give'>,
): Generator<Part<Seen>, void, undefined> {
  const pieces =
    bitByBit && page.keys.length > 1 ? page.keys.map((_, i) => pick(page, (place) => place === i)) : [page];
  let left = taken;
  try {
    for (const [i, piece] of pieces.entries()) {
      const isLast = i === pieces.length - 1;
      const { counts, others = [], seen, ...more } = i === 0 ? head : { counts: {}, claims: [] };
      const share = isLast ? left : piece.bytes;
      left -= share;
      yield {
        page: piece,
        counts: { ...counts, scanned: piece.keys.length + others.length },
        ...(pieces.length === 1 ? { seen } : {}),
        ...{ others, ...more },
        next: isLast ? next : undefined,
        taken: share,
      };
    }
  } finally {
    if (left > 0) budget.give(left);
  }
}

/** Those keys that are not in a page. */
function lackingIn(page: ReadKeys, keys: readonly Buffer[]): readonly Buffer[] {
  if (page.keys.length === keys.length) return [];
  const there = new Set(page.keys);
  return keys.filter((key) => !there.has(key));
}

/** The types of some of the keys that SCAN gave. */
function typesOf(
  keys: readonly Buffer[],
  scanned: Pick<ScannedKeys, 'keys' | 'types'>,
): readonly (string | undefined)[] {
  const types = new Map(scanned.keys.map((key, i) => [key, scanned.types[i]]));
  return keys.map((key) => types.get(key));
}

/**
 * Finds keys that come twice at the border of two pages. Between two SCAN calls a table may shrink: the bucket that the
 * cursor points to then holds buckets walked before, which were the last ones of the page before.
 */
class Border {
  private last = new Set<string>();

  repeatedIn(keys: readonly Buffer[]): Set<number> {
    const repeated = new Set<number>();
    if (this.last.size === 0) return repeated;
    const bound = Math.min(keys.length, BORDER_KEYS);
    for (let i = 0; i < bound; i++) if (this.last.has(keys[i]?.toString('latin1') ?? '')) repeated.add(i);
    return repeated;
  }

  remember(keys: readonly Buffer[]): void {
    if (keys.length === 0) return;
    const fresh = keys.slice(-BORDER_KEYS).map((key) => key.toString('latin1'));
    this.last = fresh.length < BORDER_KEYS ? new Set([...this.last, ...fresh].slice(-BORDER_KEYS)) : new Set(fresh);
  }
}

const nothing: ReadKeys = { keys: [], expiries: [], payloads: [], bytes: 0, micros: 0 };

/** What was read, and what is left for the next call. */
export function splitLater(page: ReadKeys): [now: ReadKeys, later: ReadKeys] {
  if (!page.payloads.includes('later')) return [page, nothing];
  const isLater = (i: number) => page.payloads[i] === 'later';
  return [pick(page, (i) => !isLater(i)), pick(page, isLater)];
}

/** Whether nothing was left out of a page's names, and their order is as it was. */
function isSame(keys: readonly Buffer[], all: readonly Buffer[]): boolean {
  return keys.length === all.length && keys.every((key, i) => key === all[i]);
}

function pick(page: ReadKeys, wanted: (index: number, key: Buffer) => boolean): ReadKeys {
  const places = page.keys.flatMap((key, i) => (wanted(i, key) ? [i] : []));
  if (places.length === page.keys.length) return page;
  const payloads = places.map((i) => page.payloads[i] ?? 'gone');
  return {
    keys: places.map((i) => page.keys[i] ?? Buffer.alloc(0)),
    expiries: places.map((i) => page.expiries[i] ?? 0),
    uses: page.uses === undefined ? undefined : places.map((i) => page.uses?.[i] ?? -1),
    payloads,
    bytes: payloads.reduce((sum, payload) => sum + (Buffer.isBuffer(payload) ? payload.length : 0), 0),
    micros: page.micros,
  };
}

/** Keys without values: each is for the copy by commands. */
export function named(keys: readonly Buffer[]): ReadKeys {
  return { keys, expiries: keys.map(() => 0), payloads: keys.map(() => 'big' as const), bytes: 0, micros: 0 };
}
