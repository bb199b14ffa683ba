import type { RedisPort, Reply } from '../../redis/redis-port';
import { hasExpireTime, type Abilities } from './abilities';
import { asBytes, asList, asNumber, throwErrors } from './replies';

/** When a key ends, by the source's clock: `gone` already, `never`, or at a time in milliseconds since 1970. */
export type Expiry = 'gone' | 'never' | number;

const TRIES = 4;
/** Time that may pass in the server between its TIME and its PTTL before they are asked for again. */
const SPREAD_MS = 2;

/** The reply to TIME in milliseconds, with its microseconds. */
export function timeInMs(reply: Reply | Error | undefined): number {
  const [seconds, micros] = asList(reply);
  return asNumber(seconds) * 1000 + asNumber(micros) / 1000;
}

/** The expiry from a PTTL reply and the server's time in milliseconds. PTTL 0, the last millisecond, is gone. */
export function expiryFromPttl(nowMs: number, pttl: number): Expiry {
  if (pttl === -1) return 'never';
  return pttl <= 0 ? 'gone' : Math.floor(nowMs) + pttl;
}

/** The expiry from a PEXPIRETIME reply. */
export function expiryFromExpireTime(reply: number): Expiry {
  if (reply === -1) return 'never';
  return reply < 0 ? 'gone' : reply;
}

/**
 * Reads when the key ends and of which type it is. Exact to the millisecond from 7.0; before, to the time between two
 * commands of one pipeline, which is measured and asked for again when above 2 ms.
 * @returns type `none` goes with expiry `gone`
 */
export async function readExpiry(
  source: RedisPort,
  key: Buffer,
  abilities: Abilities,
): Promise<{ expiry: Expiry; type: string }> {
  if (hasExpireTime(abilities)) {
    const [type, expireTime] = await source.pipeline([
      ['TYPE', key],
      ['PEXPIRETIME', key],
    ]);
    if (type instanceof Error) throw type;
    const kind = asBytes(type).toString('latin1');
    // Where it is refused although the version has it (a proxy, no right), the other way is as good.
    if (typeof expireTime === 'number') return { expiry: expiryFromExpireTime(expireTime), type: kind };
  }
  for (let tries = 1; ; tries++) {
    const replies = await source.pipeline([['TIME'], ['PTTL', key], ['TIME'], ['TYPE', key]]);
    const [before, pttl, after, type] = throwErrors(replies);
    const kind = asBytes(type).toString('latin1');
    const now = timeInMs(before);
    const isExact = asNumber(pttl) < 0 || timeInMs(after) - now <= SPREAD_MS;
    if (isExact || tries === TRIES) return { expiry: expiryFromPttl(now, asNumber(pttl)), type: kind };
  }
}
