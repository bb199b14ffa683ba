/** How an element stands: as text, as a number of 32 bits at most, or as one of 64 bits. */
export type ElementKind = 'text' | 'integer' | 'large';

/** Digits of the longest number, with its sign. */
const MOST_DIGITS = 20;

/**
 * One element of a value, to be filled again and again. A number stands for its decimal text. Its bytes are a view: they
 * are good until the next element is read into it.
 */
export class Element {
  kind: ElementKind = 'text';
  bytes: Buffer = EMPTY;
  start = 0;
  end = 0;
  /** Of kind `integer`. */
  integer = 0;
  /** Of kind `large`. */
  large = 0n;
  /** A text that stood compressed. */
  compressed = false;

  /** What texts that are unpacked for it are written to. */
  private room = EMPTY;

  setText(bytes: Buffer, start: number, end: number): void {
    this.kind = 'text';
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.compressed = false;
  }

  setInteger(value: number): void {
    this.kind = 'integer';
    this.integer = value;
  }

  setLarge(value: bigint): void {
    this.kind = 'large';
    this.large = value;
  }

  /** A buffer of its own for so many bytes at least. */
  own(size: number): Buffer {
    if (this.room.length < size) this.room = Buffer.allocUnsafe(Math.max(size, 256));
    return this.room;
  }

  /** Lets go of all bytes. */
  clear(): void {
    this.room = EMPTY;
    this.setText(EMPTY, 0, 0);
  }

  /** Turns a number into its text. */
  toText(): void {
    if (this.kind === 'text') return;
    const room = this.own(MOST_DIGITS);
    const text = this.kind === 'integer' ? String(this.integer) : this.large.toString();
    this.setText(room, 0, room.write(text, 0, 'latin1'));
  }

  /** A copy of its text. */
  copy(): Buffer {
    this.toText();
    return Buffer.from(this.bytes.subarray(this.start, this.end));
  }
}

const EMPTY = Buffer.alloc(0);

/** Elements in the order in which they stand. */
export interface Elements {
  /** Reads the next one; false when there is none. @throws BadPayloadError */
  next(into: Element): boolean;
}
