/** Behind the value of a payload: its version (2 bytes) and its checksum (8 bytes). */
const FOOTER_BYTES = 10;
/** A type byte, an empty string, and the footer. Whatever is shorter is no payload. */
export const SHORTEST_PAYLOAD = 2 + FOOTER_BYTES;

/** Type bytes of values that modules wrote; 6 is of pre-releases of Redis 4.0 only. */
export const MODULE_PRE_RELEASE = 6;
export const MODULE = 7;

/** A length of 64 bits follows. */
const LENGTH_64 = 0x81;
const NAME_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const NAME_LENGTH = 9;

/** The payload version in the footer of what DUMP gave. */
export function payloadVersionOf(payload: Buffer): number {
  return payload.readUInt16LE(payload.length - FOOTER_BYTES);
}

/**
 * The name of a module's type, for example "ReJSON-RL", out of a payload of type 7: nine characters of 6 bits each, then
 * 10 bits with the version of its encoding. Undefined where the payload has no such id.
 */
export function moduleTypeOf(payload: Buffer): string | undefined {
  if (payload[0] !== MODULE || payload[1] !== LENGTH_64 || payload.length < SHORTEST_PAYLOAD + 8) return undefined;
  const id = payload.readBigUInt64BE(2);
  let name = '';
  for (let i = 0; i < NAME_LENGTH; i++) name += NAME_CHARACTERS[Number((id >> BigInt(58 - 6 * i)) & 63n)] ?? '';
  return name;
}
