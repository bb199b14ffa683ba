import { payloadVersionOf, withFooter } from '../payload/footer';
import { rangesOf, type VersionRanges } from '../payload/version-ranges';
import { isRedisError } from './errors';
import type { RedisPort } from './redis-port';

/**
 * The oldest and newest payload version looked for. 4.0 writes 8, 5.0–6.2 9, 7.0 10, 7.2 and Valkey to 8.1 11, 7.4 and
 * 8.0 12, Valkey 9 80.
 */
const OLDEST = 6;
const NEWEST = 100;
/**
 * An object type that no version has, so that what is accepted by its version is refused by its content: of all that
 * RESTORE may be given, an unknown type byte is what every server from 4.0 on answers with an error, and none ends at.
 */
const NO_TYPE = 0xff;
/** A server that took the payload nevertheless would keep the key for a millisecond only. */
const PROBE_TTL = '1';
const PROBE_KEY = Buffer.from('keyferry:payload-version-probe');

/** A DUMP payload with a good checksum, the given version and no content that any server would load. */
export function emptyPayload(version: number): Buffer {
  return withFooter(Buffer.from([NO_TYPE]), 1, version);
}

/**
 * The payload versions that a server restores, found without writing a key: a payload without content is refused for
 * its version if that is not taken, and for its content otherwise. Each is tried, since they need not be all up to a
 * newest one (Valkey 9 takes those to 11, and 80). Empty where RESTORE is not allowed.
 * @param key one that nobody has
 * @throws the server's error when it tells nothing at the moment: loading, out of memory
 */
export async function restorableVersions(port: RedisPort, key: Buffer = PROBE_KEY): Promise<VersionRanges> {
  const versions = Array.from({ length: NEWEST - OLDEST + 1 }, (_, i) => OLDEST + i);
  const replies = await port.pipeline(versions.map((v) => ['RESTORE', key, PROBE_TTL, emptyPayload(v)] as const));
  const taken: number[] = [];
  replies.forEach((reply, i) => {
    if (!(reply instanceof Error)) return;
    if (reply.asks === 'retry' || reply.asks === 'room') throw reply;
    if (reply.kind === 'payloadUnreadable') taken.push(OLDEST + i);
  });
  return rangesOf(taken);
}

/** A key may be huge, and is then not dumped only to look at its last bytes. */
const SMALL_KEY = 65_536;
const TRIES = 8;
/** Of an almost empty table so many places are looked at. */
const PAGES = 8;
const KEYS_A_PAGE = '1000';

/**
 * The payload version that a server writes, read from one of its keys; undefined when none is found that is small enough and
 * that may be read.
 * @param looksAtSizes MEMORY USAGE may be asked
 * @throws the server's error, for example when DUMP is not allowed
 */
export async function writtenVersion(port: RedisPort, looksAtSizes = true): Promise<number | undefined> {
  let cursor = '0';
  let tries = 0;
  for (let pages = 0; pages < PAGES; pages++) {
    const reply = await port.call('SCAN', cursor, 'COUNT', KEYS_A_PAGE);
    const [next, keys] = Array.isArray(reply) ? reply : [null, null];
    for (const key of Array.isArray(keys) ? keys : []) {
      if (!Buffer.isBuffer(key)) continue;
      if (tries++ === TRIES) return undefined;
      const version = await versionOf(port, key, looksAtSizes);
      if (version !== undefined) return version;
    }
    cursor = String(next);
    if (cursor === '0' || next === null) return undefined;
  }
  return undefined;
}

async function versionOf(port: RedisPort, key: Buffer, looksAtSizes: boolean): Promise<number | undefined> {
  const [size] = looksAtSizes ? await port.pipeline([['MEMORY', 'USAGE', key]]) : [];
  if (typeof size === 'number' && size > SMALL_KEY) return undefined;
  try {
    const payload = await port.call('DUMP', key);
    return Buffer.isBuffer(payload) ? payloadVersionOf(payload) : undefined;
  } catch (error) {
    // A node of a cluster may have keys of slots that it does not own.
    if (isRedisError(error, 'noRightToKeys', 'moved')) return undefined;
    throw error;
  }
}
