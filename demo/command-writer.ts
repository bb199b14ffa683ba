/** Writes Redis commands as they go over the wire (RESP arrays of bulk strings) into one growing buffer. */
export class CommandWriter {
  private buffer: Buffer;
  private end = 0;

  /** `size` is how many bytes are set aside at first; the buffer grows where a command needs more. */
  constructor(private readonly size: number) {
    this.buffer = Buffer.allocUnsafe(size);
  }

  /** Bytes written since the last `take`. */
  get length(): number {
    return this.end;
  }

  /** Hands over what was written and begins anew. */
  take(): Buffer {
    const written = this.buffer.subarray(0, this.end);
    this.buffer = Buffer.allocUnsafe(this.size);
    this.end = 0;
    return written;
  }

  /** Begins a command of `count` words, its name included; as many calls of `text`, `number` or `bytes` must follow. */
  begin(count: number): this {
    this.header(0x2a, count);
    return this;
  }

  /** A whole command whose words are all text. */
  command(...words: string[]): this {
    this.begin(words.length);
    for (const word of words) this.text(word);
    return this;
  }

  /** A word of characters up to U+00FF, a byte each. */
  text(word: string): this {
    const length = word.length;
    this.header(0x24, length);
    this.reserve(length + 2);
    if (length > 40) this.end += this.buffer.write(word, this.end, 'latin1');
    else for (let at = 0; at < length; at++) this.buffer[this.end++] = word.charCodeAt(at);
    this.lineEnd();
    return this;
  }

  /** A whole number as a word. */
  number(value: number): this {
    return this.text(String(value));
  }

  /** `length` bytes of `source` from `start` as a word. */
  bytes(source: Uint8Array, start = 0, length = source.length - start): this {
    this.header(0x24, length);
    this.reserve(length + 2);
    this.buffer.set(source.subarray(start, start + length), this.end);
    this.end += length;
    this.lineEnd();
    return this;
  }

  private header(kind: number, value: number): void {
    this.reserve(24);
    this.buffer[this.end++] = kind;
    let digits = 1;
    for (let power = 10; power <= value; power *= 10) digits++;
    for (let at = this.end + digits - 1, rest = value; at >= this.end; at--) {
      this.buffer[at] = 0x30 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    this.end += digits;
    this.lineEnd();
  }

  private lineEnd(): void {
    this.buffer[this.end++] = 0x0d;
    this.buffer[this.end++] = 0x0a;
  }

  private reserve(count: number): void {
    if (this.end + count <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.end + count));
    this.buffer.copy(larger, 0, 0, this.end);
    this.buffer = larger;
  }
}
