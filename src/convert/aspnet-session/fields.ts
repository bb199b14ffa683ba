/**
 * The fields of a hash, all in one buffer: where each name and value lies. Numbers in one row; a view or an object for
 * each would cost more than all else that a conversion does.
 */
export class Fields {
  /** @param places start and end of the first name, of its value, of the second name … */
  constructor(
    readonly bytes: Buffer,
    private readonly places: readonly number[],
  ) {}

  get count(): number {
    return this.places.length >> 2;
  }
  nameStart(index: number): number {
    return this.places[4 * index] ?? 0;
  }
  nameEnd(index: number): number {
    return this.places[4 * index + 1] ?? 0;
  }
  valueStart(index: number): number {
    return this.places[4 * index + 2] ?? 0;
  }
  valueEnd(index: number): number {
    return this.places[4 * index + 3] ?? 0;
  }
  /** A view. */
  name(index: number): Buffer {
    return this.bytes.subarray(this.nameStart(index), this.nameEnd(index));
  }
  /** A view. */
  value(index: number): Buffer {
    return this.bytes.subarray(this.valueStart(index), this.valueEnd(index));
  }
  names(): Buffer[] {
    return Array.from({ length: this.count }, (_, index) => this.name(index));
  }
}

/** Names and values in buffers of their own, brought into one. */
export function joinFields(pairs: readonly (readonly [name: Buffer, value: Buffer])[]): Fields {
  const places: number[] = [];
  let at = 0;
  for (const pair of pairs) {
    for (const part of pair) places.push(at, (at += part.length));
  }
  return new Fields(Buffer.concat(pairs.flat(), at), places);
}
