import { z } from 'zod';
import { sha1Of } from '../basics/sha1';
import type { KeyNotes } from '../range/page-place';

/** A window of a value, as fingerprint-values.lua tells it. */
export interface ValueWindow {
  readonly type: string;
  /** Where the next window begins; empty at the end. */
  readonly next: string;
  /** Of ordered values a text, of unordered ones a number to be added. */
  readonly print: string;
  /** Fields of a hash that expire by themselves. */
  readonly expiringFields: number;
  /** Why the window cannot be read, where that is so; it is the last one then. */
  readonly unknown?: string;
  /** Why equal values may have other prints, where that is so: only that they are equal is told by them then. */
  readonly unlike?: string;
}

/** Reads one window of each key, or says that it must be asked again; `froms` belong to the keys by place. Throws the server's error, or the connection's. */
export type WindowReader = (
  keys: readonly Buffer[],
  froms: readonly string[],
) => Promise<readonly (ValueWindow | 'later')[]>;

/** What stands for a whole value: equal for equal values, on whatever server. */
export interface ValuePrint {
  readonly type: string;
  readonly print: string;
  readonly expiringFields: number;
  /** Why it cannot be known, where that is so. */
  readonly unknown?: string | undefined;
  /** Why an equal value may have another print, where that is so. */
  readonly unlike?: string | undefined;
}

/** 2^52: sums of two numbers below are exact. */
export const SPACE = 2 ** 52;
/** How many keys are asked for at once. */
const KEYS_AT_ONCE = 64;

/** How far the fingerprint of a value got; in plain data. */
const printSchema = z.object({
  type: z.string(),
  /** Where the next window begins; null at the end. */
  from: z.string().nullable(),
  sum: z.number().int().min(0),
  chain: z.string(),
  expiring: z.number().int().min(0),
  unknown: z.string().optional(),
  unlike: z.string().optional(),
});

type PrintState = z.infer<typeof printSchema>;

const atStart: PrintState = { type: '', from: '', sum: 0, chain: '', expiring: 0 };

function added(state: PrintState, window: ValueWindow): PrintState {
  const { type, next, print, expiringFields, unknown, unlike } = window;
  const isSum = type === 'set' || type === 'hash';
  // A key that became another one while it was read has no print that another key has.
  const became = state.type === '' || state.type === type ? '' : `became ${type}`;
  return {
    type,
    from: next === '' ? null : next,
    sum: isSum ? (state.sum + Number(print)) % SPACE : state.sum,
    chain: isSum && became === '' ? state.chain : sha1Of(`${state.chain} ${became} ${print}`),
    expiring: state.expiring + expiringFields,
    ...(unknown !== undefined && { unknown }),
    ...(unlike !== undefined && { unlike }),
  };
}

/** The fingerprint of an ordered value of which all windows are known. */
export function printOfWindows(type: string, prints: readonly string[]): ValuePrint {
  return printOfChain(type, prints.reduce(withWindow, NO_WINDOWS));
}

/** What stands for the windows of an ordered value up to one of them: for none at first, and with each one that comes behind. */
export const NO_WINDOWS = atStart.chain;

export function withWindow(chain: string, print: string): string {
  return added({ ...atStart, chain }, { type: '', next: '', print, expiringFields: 0 }).chain;
}

/** The fingerprint of an ordered value, of what stands for all of its windows. */
export function printOfChain(type: string, chain: string): ValuePrint {
  return printOf({ ...atStart, type, chain });
}

/** The fingerprint of a value of which all windows are known. */
export function printOfAll(windows: readonly ValueWindow[]): ValuePrint {
  return printOf(windows.reduce(added, atStart));
}

function printOf({ type, sum, chain, expiring, unknown, unlike }: PrintState): ValuePrint {
  return { type, print: `${sum.toFixed(0)} ${chain}`, expiringFields: expiring, unknown, unlike };
}

/**
 * Fingerprints of whole values, window by window, so that no call holds the server for long. Type "none": there is no such key.
 * @param notes where it is noted how far those of several windows got, to be cleared by whoever has used them
 */
export async function valuePrints(
  read: WindowReader,
  keys: readonly Buffer[],
  goOn: () => void = () => undefined,
  notes?: KeyNotes,
): Promise<ValuePrint[]> {
  const prints = keys.map((key) => {
    const noted = notes?.get(key);
    return noted === undefined ? atStart : printSchema.catch(atStart).parse(noted);
  });
  let open = keys.flatMap((_, place) => (prints[place]?.from === null ? [] : [place]));
  while (open.length > 0) {
    goOn();
    const asked = open.slice(0, KEYS_AT_ONCE);
    const windows = await read(
      asked.map((place) => keys[place] ?? Buffer.alloc(0)),
      asked.map((place) => prints[place]?.from ?? ''),
    );
    const unfinished = asked.filter((place, i) => {
      const [window, before, key] = [windows[i], prints[place], keys[place]];
      if (window === undefined || before === undefined) throw new Error('The server answered in an unexpected form.');
      if (window === 'later') return true;
      const state = added(before, window);
      prints[place] = state;
      if (key !== undefined && (state.from !== null || before.type !== '')) notes?.set(key, state);
      return state.from !== null;
    });
    open = [...unfinished, ...open.slice(asked.length)];
  }
  return prints.map(printOf);
}
