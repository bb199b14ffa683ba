import { SHORTEST_PAYLOAD } from './footer';
import { MODULE } from './value-types';

/** A length of 64 bits follows. */
const LENGTH_64 = 0x81;
const NAME_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const NAME_LENGTH = 9;

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
