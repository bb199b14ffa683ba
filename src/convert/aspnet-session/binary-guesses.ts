/** Bytes behind a MessagePack head 0xc0 … 0xdf: its own fields; then a length of that many bytes, or nested values. */
const EXTRA = [
  0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17, 1, 2, 4, 2, 4, 2, 4,
] as const;

/**
 * Whether bytes are one MessagePack map, array or extension (a lone scalar would prove nothing). One pass, no
 * recursion: nesting only adds to the number of values still due.
 */
export function looksLikeMessagePack(bytes: Buffer, whole: boolean): boolean {
  const head = bytes[0] ?? 0;
  const container = (head >= 0x80 && head <= 0x9f) || (head >= 0xdc && head <= 0xdf) || (head >= 0xc7 && head <= 0xc9);
  if (!container || bytes.length < 2) return false;
  let at = 0;
  let due = 1;
  while (due > 0) {
    if (at >= bytes.length) return !whole;
    const byte = bytes[at++] ?? 0;
    due--;
    if (byte < 0x80 || byte >= 0xe0) continue;
    if (byte < 0x90) due += (byte & 0x0f) * 2;
    else if (byte < 0xa0) due += byte & 0x0f;
    else if (byte < 0xc0) at += byte & 0x1f;
    else if (byte === 0xc1) return false;
    else {
      const extra = EXTRA[byte - 0xc0] ?? 0;
      if (at + extra > bytes.length) return !whole;
      const isExtension = byte >= 0xc7 && byte <= 0xc9;
      const lengthBytes = isExtension ? extra : extra <= 4 ? extra : 0;
      const length = lengthBytes > 0 ? bytes.readUIntBE(at, lengthBytes) : 0;
      at += extra;
      if ((byte >= 0xc4 && byte <= 0xc6) || (byte >= 0xd9 && byte <= 0xdb)) at += length;
      else if (isExtension) at += length + 1;
      else if (byte === 0xdc || byte === 0xdd) due += length;
      else if (byte === 0xde || byte === 0xdf) due += length * 2;
    }
  }
  return at === bytes.length;
}

/** Whether bytes are a sequence of protobuf fields with small numbers. One pass; nested messages are not entered. */
export function looksLikeProtobuf(bytes: Buffer, whole: boolean): boolean {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; factor < 2 ** 63; factor *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) return -1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    return -1;
  };
  while (at < bytes.length) {
    const tag = varint();
    const field = Math.floor(tag / 8);
    if (tag < 0 || field < 1 || field > 536_870_911) return false;
    switch (tag % 8) {
      case 0:
        if (varint() < 0 && at <= bytes.length) return false;
        break;
      case 1:
        at += 8;
        break;
      case 2: {
        const length = varint();
        if (length < 0) return !whole && at > bytes.length;
        at += length;
        break;
      }
      case 5:
        at += 4;
        break;
      default:
        return false;
    }
  }
  return at === bytes.length || !whole;
}
