/** The two servers of a migration. */
export type SideName = 'source' | 'target';

/** A key in a database: `<database>:<name, a character a byte>`. */
export type KeyId = string;

export function keyId(database: number, key: Buffer | string): KeyId {
  return `${database}:${typeof key === 'string' ? key : key.toString('latin1')}`;
}

export function partsOf(id: KeyId): { readonly database: number; readonly name: string } {
  const colon = id.indexOf(':');
  return { database: Number(id.slice(0, colon)), name: id.slice(colon + 1) };
}

/** Something that was done from outside. Times in ms since 1970. */
export interface JournalEvent {
  readonly from: number;
  readonly to: number;
  readonly what: string;
  /** The side that has lost keys by it, or may have. */
  readonly loses?: SideName;
  readonly error?: string;
}

/** What was done to both servers from outside while a migration ran. */
export class Journal {
  readonly events: JournalEvent[] = [];
  readonly touched: Readonly<Record<SideName, Map<KeyId, number>>> = { source: new Map(), target: new Map() };

  /** A key is written, deleted or renamed. Noted before it is done: it may be done and not be answered. */
  touch(side: SideName, database: number, key: Buffer | string): void {
    this.touched[side].set(keyId(database, key), Date.now());
  }

  /** Does something and notes when. What it throws is noted too. */
  async note(what: string, act: () => Promise<unknown>, loses?: SideName): Promise<void> {
    const from = Date.now();
    let error: string | undefined;
    try {
      await act();
    } catch (reason) {
      error = reason instanceof Error ? reason.message : String(reason);
    }
    this.events.push({
      from,
      to: Date.now(),
      what,
      ...(loses === undefined ? {} : { loses }),
      ...(error === undefined ? {} : { error }),
    });
  }
}
