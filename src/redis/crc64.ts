/** The polynomial of Redis's CRC-64 ("Jones"), bit-reversed. Source: redis/src/crc64.c. */
const POLYNOMIAL = 0x95ac9329ac4bc9b5n;

/** CRC-64 as it stands in the last 8 bytes of a DUMP payload. For a few bytes only: it is not made for speed. */
export function crc64(bytes: Buffer): bigint {
  let crc = 0n;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ POLYNOMIAL : crc >> 1n;
  }
  return crc;
}
