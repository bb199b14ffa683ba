import type { Pair } from '../compare/examine';
import { keyFacts } from '../compare/key-facts';
import type { Command, RedisPort } from '../redis/redis-port';
import { throwErrors } from '../transfer/by-commands/replies';

type Attempt = <T>(call: () => Promise<T>) => Promise<T>;

export interface ExpiryContext {
  readonly source: RedisPort;
  readonly target: RedisPort;
  readonly attemptSource: Attempt;
  readonly attemptTarget: Attempt;
  /** The target's clock minus the source's, ms. */
  readonly targetMinusSource: number;
}

/** Gives keys of the target, whose values are right, the expiries that they have on the source now. */
export async function takeOverExpiries(
  pairs: readonly Pair[],
  context: ExpiryContext,
): Promise<{ readonly set: number; readonly gone: number }> {
  if (pairs.length === 0) return { set: 0, gone: 0 };
  const { source, target, attemptSource, attemptTarget, targetMinusSource } = context;
  const names = pairs.map((pair) => pair.source);
  const facts = await attemptSource(() => keyFacts(source, names));
  const commands = pairs.flatMap((pair, i): Command[] => {
    const there = facts[i];
    if (there === undefined) return [];
    if (there.expiry === 0) return [['PERSIST', pair.target]];
    return [['PEXPIREAT', pair.target, String(Math.round(there.expiry + targetMinusSource))]];
  });
  await attemptTarget(async () => throwErrors(await target.pipeline(commands)));
  return { set: commands.length, gone: pairs.length - commands.length };
}
