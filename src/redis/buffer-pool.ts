/** Smaller buffers are left to the garbage collector, which is good at them. */
const SMALLEST = 32 * 1_024;
/** Larger ones are rare, and keeping them would cost more than they. */
const LARGEST = 4 * 1_024 * 1_024;

/**
 * Buffers that are used again. A page's command is some hundred KiB, and thousands of them a second would grow the
 * process by what the collector has not yet given back.
 */
export class BufferPool {
  private readonly free = new Map<number, Buffer[]>();
  private kept = 0;

  /** @param limit bytes kept at most while nobody uses them */
  constructor(private readonly limit: number) {}

  /** A buffer of at least `size` bytes, with any content. */
  take(size: number): Buffer {
    if (size < SMALLEST || size > LARGEST) return Buffer.allocUnsafe(size);
    const capacity = 2 ** Math.ceil(Math.log2(size));
    const buffer = this.free.get(capacity)?.pop();
    if (buffer === undefined) return Buffer.allocUnsafeSlow(capacity);
    this.kept -= capacity;
    return buffer;
  }

  /** Gives a buffer of `take` back. Nobody may hold it any more. */
  give(buffer: Buffer): void {
    const { length } = buffer;
    if (length < SMALLEST || length > LARGEST || (length & (length - 1)) !== 0) return;
    if (this.kept + length > this.limit) return;
    const list = this.free.get(length);
    if (list === undefined) this.free.set(length, [buffer]);
    else list.push(buffer);
    this.kept += length;
  }
}
