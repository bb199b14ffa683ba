import type { Pair } from '../compare/examine';
import { keyFacts } from '../compare/key-facts';
import { expiryByClock } from '../redis/expiry';
import type { Command } from '../redis/redis-port';
import { throwErrors } from '../transfer/by-commands/replies';
import type { Side } from '../transfer/side';

/**
 * Gives keys of the target, whose values are right, the expiries that they have on the source now.
 * @param targetMinusSource how far the target's clock is ahead, ms
 */
export async function takeOverExpiries(
  pairs: readonly Pair[],
  { source, target }: { readonly source: Side; readonly target: Side },
  targetMinusSource: number,
): Promise<{ readonly set: number; readonly gone: number }> {
  if (pairs.length === 0) return { set: 0, gone: 0 };
  const names = pairs.map((pair) => pair.source);
  const facts = await source.attempt(() => keyFacts(source, names));
  const commands = pairs.flatMap((pair, i): Command[] => {
    const there = facts[i];
    if (there === undefined) return [];
    if (there.expiry === 0) return [['PERSIST', pair.target]];
    return [['PEXPIREAT', pair.target, String(expiryByClock(there.expiry, targetMinusSource))]];
  });
  await target.attempt(async () => throwErrors(await target.port.pipeline(commands)));
  return { set: commands.length, gone: pairs.length - commands.length };
}
