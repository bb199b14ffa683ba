import type { RedisPort } from '../redis/redis-port';
import { runScript, scripts } from '../redis/scripts';
import { asBytes, asList, asNumber } from '../transfer/by-commands/replies';
import type { ValueWindow, WindowReader } from './value-prints';

/** Windows that the server makes fingerprints of itself: values do not cross the network. */
export function scriptWindows(port: RedisPort): WindowReader {
  return async (keys, froms) => {
    const replies = asList(await runScript(port, scripts.fingerprintValues, keys, froms));
    return replies.map((reply): ValueWindow | 'later' => {
      const [type, next, print, parts, expiring] = asList(reply);
      if (asNumber(parts) < 0) return 'later';
      return {
        type: asBytes(type).toString('latin1'),
        next: asBytes(next).toString('latin1'),
        print: asBytes(print).toString('latin1'),
        expiringFields: asNumber(expiring),
      };
    });
  };
}
