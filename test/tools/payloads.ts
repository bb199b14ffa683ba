import { crc64 } from '../../src/redis/crc64';

const CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** A payload with a good checksum. */
export function stamp(body: Buffer, version: number): Buffer {
  const head = Buffer.concat([body, Buffer.from([version & 0xff, version >> 8])]);
  const footer = Buffer.alloc(8);
  footer.writeBigUInt64LE(crc64(head));
  return Buffer.concat([head, footer]);
}

/** What a module would have written for a value of its type: one text of 9 characters, whole and with a good checksum. */
export function modulePayload(type: string, version: number, typeByte = 7): Buffer {
  const id =
    Array.from(type).reduce((sum, character) => (sum << 6n) | BigInt(CHARACTERS.indexOf(character)), 0n) << 10n;
  const head = Buffer.alloc(10);
  head[0] = typeByte;
  head[1] = 0x81;
  head.writeBigUInt64BE(id, 2);
  return stamp(Buffer.concat([head, Buffer.from([5, 9]), Buffer.from('some text'), Buffer.from([0])]), version);
}
