import { createHash } from 'node:crypto';

/** A window of a value, as fingerprint-values.lua tells it. */
export interface ValueWindow {
  readonly type: string;
  /** Where the next window begins; empty at the end. */
  readonly next: string;
  /** Of ordered values a text, of unordered ones a number to be added. */
  readonly print: string;
  /** Fields of a hash that expire by themselves. */
  readonly expiringFields: number;
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
}

/** 2^52: sums of two numbers below are exact. */
const SPACE = 2 ** 52;
/** How many keys are asked for at once. */
const KEYS_AT_ONCE = 64;

class Print {
  private sum = 0;
  private readonly hash = createHash('sha1');
  private expiring = 0;
  type = '';
  from = '';

  add({ type, next, print, expiringFields }: ValueWindow): void {
    // A key that became another one while it was read has no print that another key has.
    if (this.type !== '' && this.type !== type) this.hash.update(`became ${type}`);
    this.type = type;
    if (type === 'set' || type === 'hash') this.sum = (this.sum + Number(print)) % SPACE;
    else this.hash.update(print);
    this.expiring += expiringFields;
    this.from = next;
  }

  get done(): ValuePrint {
    const print = `${this.sum.toFixed(0)} ${this.hash.digest('hex')}`;
    return { type: this.type, print, expiringFields: this.expiring };
  }
}

/** Fingerprints of whole values, window by window, so that no call holds the server for long. Type "none": there is no such key. */
export async function valuePrints(
  read: WindowReader,
  keys: readonly Buffer[],
  goOn: () => void = () => undefined,
): Promise<ValuePrint[]> {
  const prints = keys.map(() => new Print());
  let open = keys.map((_, place) => place);
  while (open.length > 0) {
    goOn();
    const asked = open.slice(0, KEYS_AT_ONCE);
    const windows = await read(
      asked.map((place) => keys[place] ?? Buffer.alloc(0)),
      asked.map((place) => prints[place]?.from ?? ''),
    );
    const unfinished = asked.filter((place, i) => {
      const window = windows[i];
      if (window === undefined) throw new Error('The server answered in an unexpected form.');
      if (window === 'later') return true;
      prints[place]?.add(window);
      return window.next !== '';
    });
    open = [...unfinished, ...open.slice(asked.length)];
  }
  return prints.map((print) => print.done);
}
