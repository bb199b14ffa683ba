import type { Command, RedisPort, Reply } from '../../redis/redis-port';
import { hasExpireTime, type Abilities } from './abilities';
import { asBytes, asList, asNumber } from './replies';

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
  const commands: Command[] = [['TIME'], ['PTTL', key], ['TIME'], ['TYPE', key]];
  if (hasExpireTime(abilities)) commands.push(['PEXPIRETIME', key]);
  for (let tries = 1; ; tries++) {
    const [before, pttl, after, type, expireTime] = await source.pipeline(commands);
    if (pttl instanceof Error) throw pttl;
    if (type instanceof Error) throw type;
    const kind = asBytes(type).toString('latin1');
    if (kind === 'none') return { expiry: 'gone', type: kind };
    // Refused (a proxy, no right to it) although the version has it: the other way is as good.
    if (typeof expireTime === 'number') return { expiry: expiryFromExpireTime(expireTime), type: kind };
    const left = asNumber(pttl);
    if (left < 0) return { expiry: expiryFromPttl(0, left), type: kind };
    if (before instanceof Error) throw before;
    const now = timeInMs(before);
    if (timeInMs(after) - now <= SPREAD_MS || tries === TRIES) return { expiry: expiryFromPttl(now, left), type: kind };
  }
}
