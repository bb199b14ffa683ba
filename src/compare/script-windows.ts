import { isRedisError, RedisError } from '../redis/errors';
import { keysByServer, type Command, type RedisPort, type Reply } from '../redis/redis-port';
import { runOnNode, runScript, scripts } from '../redis/scripts';
import { asBytes, asList, asNumber } from '../transfer/by-commands/replies';
import { dumpedWindow, undumpedWindow } from './dumped-values';
import type { ValueWindow, WindowReader } from './value-prints';

/** Windows that the server makes fingerprints of itself: values do not cross the network. */
export function scriptWindows(port: RedisPort): WindowReader {
  return async (keys, froms) => asList(await runScript(port, scripts.fingerprintValues, keys, froms)).map(windowOf);
}

function windowOf(reply: Reply): ValueWindow | 'later' {
  const [type, next, print, parts, expiring, dumped = null] = asList(reply);
  if (asNumber(parts) < 0) return 'later';
  const [kind, text] = [asBytes(type).toString('latin1'), asBytes(print).toString('latin1')];
  if (dumped !== null) return asNumber(dumped) === 1 ? dumpedWindow(kind, text) : undumpedWindow(kind, text);
  return { type: kind, next: asBytes(next).toString('latin1'), print: text, expiringFields: asNumber(expiring) };
}

/**
 * The same in a cluster: a call to each node, for those keys that it has. Where a node has not all of them for itself, since slots are on
 * their way, they are asked for one by one.
 */
export function scriptWindowsByNode(port: RedisPort, oneByOne: WindowReader): WindowReader {
  return async (keys, froms) => {
    const windows = new Array<ValueWindow | 'later'>(keys.length).fill('later');
    for (const places of keysByServer(port, keys)) {
      const turns = places.flatMap((place) => [keys[place] ?? '', froms[place] ?? '']);
      const reply = await runOnNode(port, scripts.fingerprintValues, turns[0] ?? '', turns);
      if (reply instanceof RedisError) return await oneByOne(keys, froms);
      asList(reply).forEach((window, i) => (windows[places[i] ?? 0] = windowOf(window)));
    }
    return windows;
  };
}

/** Keys that are asked for together: their windows take a server no longer than those of one call for many keys may. */
const KEYS_TOGETHER = 16;

/**
 * The same by a call for each key: whatever moves meanwhile, it goes to the node that has the key.
 * @param otherwise where a node does not allow that
 */
export function scriptWindowsByKey(port: RedisPort, otherwise: WindowReader): WindowReader {
  return async (keys, froms) => {
    const windows: (ValueWindow | 'later')[] = [];
    for (let at = 0; at < keys.length; at += KEYS_TOGETHER) {
      const some = keys.slice(at, at + KEYS_TOGETHER);
      const replies = await runForEach(port, some, froms.slice(at, at + KEYS_TOGETHER));
      if (replies === undefined) return await otherwise(keys, froms);
      windows.push(...replies.flatMap((reply) => asList(reply).map(windowOf)));
    }
    return windows;
  };
}

/** Undefined where that is not allowed. @throws RedisError what passes by itself */
async function runForEach(
  port: RedisPort,
  keys: readonly Buffer[],
  froms: readonly string[],
): Promise<Reply[] | undefined> {
  const { sha1, source } = scripts.fingerprintValues;
  const ask = (places: readonly number[], way: readonly [string, string]) =>
    port.pipeline(places.map((place): Command => [...way, '1', keys[place] ?? '', froms[place] ?? '']));
  const replies = await ask([...keys.keys()], ['EVALSHA', sha1]);
  const unknown = [...keys.keys()].filter((place) => isRedisError(replies[place], 'scriptUnknown'));
  if (unknown.length > 0) {
    const again = await ask(unknown, ['EVAL', source]);
    unknown.forEach((place, i) => (replies[place] = again[i] ?? null));
  }
  const refused = replies.filter((reply) => reply instanceof RedisError);
  const passing = refused.find(({ asks }) => asks === 'retry');
  if (passing !== undefined) throw passing;
  return refused.length > 0 ? undefined : (replies as Reply[]);
}
