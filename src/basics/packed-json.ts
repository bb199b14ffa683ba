import { gunzipSync, gzipSync } from 'node:zlib';

/** What a packed document unpacks to at most. */
const MOST_BYTES = 64 * 1_048_576;

/** Plain data, small enough to stand in a row of storage. */
export function packJson(value: unknown): Buffer {
  return gzipSync(JSON.stringify(value), { level: 3 });
}

/** What `packJson` was given, for a schema to look at; undefined where it cannot be read. */
export function unpackJson(packed: Buffer): unknown {
  try {
    return JSON.parse(gunzipSync(packed, { maxOutputLength: MOST_BYTES }).toString('utf8'));
  } catch {
    return undefined;
  }
}
