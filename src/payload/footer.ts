import { Crc64 } from './crc64';

/** Behind the value of a payload: its version (2 bytes) and its checksum (8 bytes), both with the lowest byte first. */
export const FOOTER_BYTES = 10;
const VERSION_BYTES = 2;
/** A type byte, an empty string, and the footer. Whatever is shorter is no payload. */
export const SHORTEST_PAYLOAD = 2 + FOOTER_BYTES;

/** The payload version in the footer of what DUMP gave. */
export function payloadVersionOf(payload: Buffer): number {
  return payload.readUInt16LE(payload.length - FOOTER_BYTES);
}

/** Whether the checksum agrees with what stands before it. */
export function isIntact(payload: Buffer): boolean {
  const end = payload.length - FOOTER_BYTES + VERSION_BYTES;
  return new Crc64().update(payload, 0, end).standsAt(payload, end);
}

/**
 * The payload with another version. The checksum is made from the one that is there, whatever the value's size: of a
 * damaged payload it stays wrong.
 */
export function withVersion(payload: Buffer, version: number): Buffer {
  const at = payload.length - FOOTER_BYTES;
  const stamped = Buffer.from(payload);
  const crc = Crc64.from(payload, at + VERSION_BYTES)
    .undo(payload[at + 1] ?? 0)
    .undo(payload[at] ?? 0);
  stamped.writeUInt16LE(version, at);
  crc.update(stamped, at, at + VERSION_BYTES).writeTo(stamped, at + VERSION_BYTES);
  return stamped;
}

/** A payload of its own from the first `length` bytes, which are a type byte and a value. */
export function withFooter(bytes: Buffer, length: number, version: number): Buffer {
  const payload = Buffer.allocUnsafe(length + FOOTER_BYTES);
  bytes.copy(payload, 0, 0, length);
  stampFooter(payload, version);
  return payload;
}

/** Writes the footer behind a type byte and a value: the last bytes of the payload. */
export function stampFooter(payload: Buffer, version: number): void {
  const length = payload.length - FOOTER_BYTES;
  payload.writeUInt16LE(version, length);
  const end = length + VERSION_BYTES;
  new Crc64().update(payload, 0, end).writeTo(payload, end);
}
