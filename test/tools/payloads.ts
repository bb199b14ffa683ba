import { payloadGateOf } from '../../src/migration/transport';
import type { PayloadGate } from '../../src/payload/payload-gate';
import { probeSource, probeTarget, readServerFacts } from '../../src/redis/probe';
import type { TestServer } from './test-server';

/** The polynomial of Redis's CRC-64 ("Jones"), bit-reversed. Source: redis/src/crc64.c. */
const POLYNOMIAL = 0x95ac9329ac4bc9b5n;

/** CRC-64 as it stands in the last 8 bytes of a DUMP payload, made bit by bit. */
export function crc64(bytes: Buffer): bigint {
  let crc = 0n;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ POLYNOMIAL : crc >> 1n;
  }
  return crc;
}

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

/** The gate as a migration between two servers makes it. */
export async function gateBetween(source: TestServer, target: TestServer): Promise<PayloadGate> {
  const [from, to] = await Promise.all([source.connect(), target.connect()]);
  const [sourceFacts, targetFacts] = await Promise.all([readServerFacts(from), readServerFacts(to)]);
  return payloadGateOf({
    source: { ...sourceFacts, abilities: await probeSource(from, from) },
    target: { ...targetFacts, abilities: await probeTarget(to, targetFacts) },
  });
}

export interface DumpedKey {
  readonly key: Buffer;
  readonly payload: Buffer;
  /** What PTTL says, or 0 for none. */
  readonly ttl: number;
}

/** What a server has in database 0. */
export async function dumpAll({ client }: TestServer): Promise<DumpedKey[]> {
  const keys = await client.keysBuffer('*');
  const pipeline = client.pipeline();
  for (const key of keys) pipeline.dumpBuffer(key).pttl(key);
  const replies = ((await pipeline.exec()) ?? []).map(([, reply]) => reply);
  return keys.map((key, i) => ({
    key,
    payload: replies[2 * i] as Buffer,
    ttl: Math.max(0, Number(replies[2 * i + 1])),
  }));
}

/** @throws the server's first refusal */
export async function restoreAll({ client }: TestServer, keys: readonly DumpedKey[]): Promise<void> {
  const pipeline = client.pipeline();
  for (const { key, payload, ttl } of keys) pipeline.restore(key, ttl, payload);
  for (const [i, [error]] of ((await pipeline.exec()) ?? []).entries()) {
    if (error !== null) throw new Error(`${keys[i]?.key.toString('latin1') ?? ''}: ${error.message}`);
  }
}

/** Of each key a text that is the same wherever its value is. */
export async function digestValues({ client }: TestServer, keys: readonly Buffer[]): Promise<string[]> {
  return (await client.call('DEBUG', 'DIGEST-VALUE', ...keys)) as string[];
}
