import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Redis } from 'ioredis';

const VECTORS = path.join(__dirname, '..', '..', 'test', 'fixtures', 'session-vectors.json');
/** What sessions are made of, by name of the vector. */
const VALUES = [
  'string_ascii',
  'string_unicode',
  'string_127',
  'int32_42',
  'bool_true',
  'datetime_utc',
  'decimal_1.10',
  'guid',
  'null',
  'double_pi',
  'timespan_pos',
  'list_string',
];
const SESSIONS_AT_ONCE = 200;
const TIMEOUT = 1_200;

interface Vector {
  readonly name: string;
  readonly nrbf: string;
}

/** Fills a server with sessions as version 4 keeps them, each with so many items; two keys a session. */
export async function fillSessions(url: string, sessions: number, items: number): Promise<void> {
  const redis = new Redis(url);
  const values = readValues();
  for (let at = 0; at < sessions; at += SESSIONS_AT_ONCE) {
    const pipeline = redis.pipeline();
    for (let i = at; i < Math.min(sessions, at + SESSIONS_AT_ONCE); i++) {
      const name = `{/Shop_${i
        .toString(30)
        .replace(/[6-9]/g, (digit) => 'uvwx'.charAt(Number(digit) - 6))
        .padStart(24, 'z')}}`;
      const fields = Array.from({ length: items }, (_, n) => [`item_${n}`, values[(i + n) % values.length] ?? '']);
      pipeline.hset(`${name}_Data`, ...fields.flat()).expire(`${name}_Data`, TIMEOUT);
      pipeline.hset(`${name}_Internal`, 'SessionTimeout', TIMEOUT).expire(`${name}_Internal`, TIMEOUT);
    }
    await pipeline.exec();
  }
  redis.disconnect();
}

function readValues(): Buffer[] {
  const { vectors } = JSON.parse(readFileSync(VECTORS, 'utf8')) as { vectors: Vector[] };
  const known = VALUES.flatMap((name) => vectors.find((vector) => vector.name === name) ?? []);
  if (known.length < VALUES.length)
    throw new Error(`vectors are missing; there are ${vectors.map((v) => v.name).join(' ')}`);
  return known.map(({ nrbf }) => Buffer.from(nrbf, 'hex'));
}
