import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { isRedisError, type RedisError } from './errors';
import type { Argument, Command, RedisPort, Reply } from './redis-port';

/** A Lua script with the name that EVALSHA calls it by. */
export interface Script {
  readonly source: string;
  readonly sha1: string;
}

/** Hashes of scripts whose reply is a list that begins with the microseconds the server worked on it (clock.lua). */
const tellingHashes = new Set<string>();

const OWN = path.join(__dirname, 'scripts');

/**
 * Joins Lua files of a folder into one script; the last is the script, the others what it builds on.
 * @param first a file of this room's own scripts/ that goes before them
 */
export function loadScript(folder: string, names: readonly string[], first?: 'clock' | 'effects'): Script {
  const files = names.map((name) => path.join(folder, `${name}.lua`));
  if (first !== undefined) files.unshift(path.join(OWN, `${first}.lua`));
  const source = files.map((file) => readFileSync(file, 'utf8')).join('');
  const sha1 = createHash('sha1').update(source).digest('hex');
  if (first === 'clock') tellingHashes.add(sha1);
  return { source, sha1 };
}

const own = (...names: readonly string[]) => loadScript(OWN, names);
const telling = (...names: readonly string[]) => loadScript(OWN, names, 'clock');

/** One script a file in scripts/, each with a header that documents KEYS, ARGV and the reply. */
export const scripts = {
  scanAndRead: telling('read-keys', 'scan-and-read'),
  scan: telling('scan'),
  slotPage: telling('read-keys', 'slot-keys', 'slot-page'),
  slotNames: telling('slot-keys', 'slot-names'),
  slotScan: telling('slot-keys', 'slot-scan'),
  read: telling('read-keys', 'read'),
  missing: telling('missing'),
  keyFacts: telling('key-facts'),
  scanOverview: telling('fingerprint', 'overview', 'scan-overview'),
  keysOverview: telling('fingerprint', 'overview', 'keys-overview'),
  fingerprintValues: own('fingerprint', 'fingerprint-values'),
  partDigests: telling('fingerprint', 'part-digests'),
  elementSums: telling('fingerprint', 'element-sums'),
  streamDigest: telling('fingerprint', 'stream-digest'),
  survey: telling('survey'),
} as const;

/** Microseconds that the server says it worked on a script call; undefined for other commands and scripts that do not tell. */
export function toldMicros([name, hash]: Command, reply: Reply): number | undefined {
  if (name !== 'EVALSHA' || !tellingHashes.has(String(hash)) || !Array.isArray(reply)) return undefined;
  return Number(reply[0]);
}

/** Runs a script by its hash; a server that does not know it (yet, or after a restart or SCRIPT FLUSH) gets the source. */
export async function runScript(
  port: RedisPort,
  script: Script,
  keys: readonly Argument[],
  args: readonly Argument[],
): Promise<Reply> {
  const rest: readonly Argument[] = [String(keys.length), ...keys, ...args];
  const bySha: Command = ['EVALSHA', script.sha1, ...rest];
  try {
    return await port.call(...bySha);
  } catch (error) {
    if (!isRedisError(error, 'scriptUnknown')) throw error;
    return await port.call('EVAL', script.source, ...rest);
  }
}

/**
 * Runs a script on the node of a cluster that has a key, over keys that stand in its arguments: keys of several slots may not be its KEYS. A
 * key that the node does not have for itself makes the script fail.
 * @returns what the node refuses it for, or what the script fails by, is an error in the reply's place
 */
export async function runOnNode(
  port: RedisPort,
  { sha1, source }: Script,
  key: Argument,
  args: readonly Argument[],
): Promise<Reply | RedisError> {
  const ask = async (...way: [string, string]) => {
    // What has no key goes where the next command goes.
    const [reply = null] = await port.pipeline([
      [...way, '0', ...args],
      ['EXISTS', key],
    ]);
    return reply;
  };
  const reply = await ask('EVALSHA', sha1);
  return isRedisError(reply, 'scriptUnknown') ? await ask('EVAL', source) : reply;
}
