const TEXT = /^([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})$/i;

/** A Guid's text from its 16 bytes in the order of Guid.ToByteArray(): the first three groups are little-endian. */
export function guidText(bytes: Buffer): string {
  const reversed = (start: number, end: number): string =>
    Buffer.from(bytes.subarray(start, end)).reverse().toString('hex');
  return [
    reversed(0, 4),
    reversed(4, 6),
    reversed(6, 8),
    bytes.toString('hex', 8, 10),
    bytes.toString('hex', 10, 16),
  ].join('-');
}

/** The 16 bytes of a Guid's text (with hyphens, or without any); undefined for any other text. */
export function guidBytes(text: string): Buffer | undefined {
  const match = TEXT.exec(text);
  if (match === null) return undefined;
  const [a, b, c, d, e] = match.slice(1).map((part) => Buffer.from(part, 'hex')) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ];
  return Buffer.concat([a.reverse(), b.reverse(), c.reverse(), d, e]);
}
