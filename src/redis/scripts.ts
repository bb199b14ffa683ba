import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { isRedisError } from './errors';
import type { Argument, Command, RedisPort, Reply } from './redis-port';

/** A Lua script with the name that EVALSHA calls it by. */
export interface Script {
  readonly source: string;
  readonly sha1: string;
  /** The reply is a list that begins with the microseconds the server worked on it (clock.lua). */
  readonly tellsWork: boolean;
}

/** Joins files of scripts/ into one script; the last is the script, the others what it builds on. */
function load(...names: string[]): Script {
  const source = names.map((name) => readFileSync(path.join(__dirname, 'scripts', `${name}.lua`), 'utf8')).join('');
  return { source, sha1: createHash('sha1').update(source).digest('hex'), tellsWork: names[0] === 'clock' };
}

/** One script a file in scripts/, each with a header that documents KEYS, ARGV and the reply. */
export const scripts = {
  scanAndRead: load('clock', 'read-keys', 'scan-and-read'),
  scan: load('clock', 'scan'),
  read: load('clock', 'read-keys', 'read'),
  missing: load('clock', 'missing'),
  scanOverview: load('clock', 'fingerprint', 'overview', 'scan-overview'),
  keysOverview: load('clock', 'fingerprint', 'overview', 'keys-overview'),
  fingerprintValues: load('fingerprint', 'fingerprint-values'),
  partDigests: load('clock', 'fingerprint', 'part-digests'),
  elementSums: load('clock', 'fingerprint', 'element-sums'),
  survey: load('clock', 'survey'),
  sessionCount: load('session-count'),
  sessionGather: load('clock', 'session-fingerprint', 'session-gather'),
  sessionMembers: load('clock', 'session-fingerprint', 'session-members'),
  sessionPrints: load('session-fingerprint', 'session-prints'),
  sessionWrite: load('effects', 'session-fingerprint', 'session-write'),
} as const;

const tellingHashes = new Set(
  Object.values(scripts)
    .filter(({ tellsWork }) => tellsWork)
    .map(({ sha1 }) => sha1),
);

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
