import type { RedisPort } from './redis-port';
import { runScript, scripts } from './scripts';

/** The places of the keys that a server does not have. */
export async function missingKeys(port: RedisPort, keys: readonly Buffer[], useScripts: boolean): Promise<number[]> {
  if (keys.length === 0) return [];
  if (useScripts) {
    const reply = await runScript(port, scripts.missing, keys, []);
    if (!Array.isArray(reply)) throw new Error('The server answered in an unexpected form.');
    return reply.slice(1).map((number) => Number(number) - 1);
  }
  const replies = await port.pipeline(keys.map((key) => ['EXISTS', key] as const));
  const missing: number[] = [];
  replies.forEach((reply, i) => {
    if (reply instanceof Error) throw reply;
    if (reply === 0) missing.push(i);
  });
  return missing;
}
