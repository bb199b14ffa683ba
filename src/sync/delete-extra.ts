import type { Plan } from '../migration/plan';
import { asNumber } from '../transfer/by-commands/replies';
import type { Command, RedisPort } from '../redis/redis-port';
import { doubtOfSource } from './source-doubt';

type Attempt = <T>(call: () => Promise<T>) => Promise<T>;

export interface DeleteContext {
  readonly plan: Plan;
  readonly target: RedisPort;
  /** The databases of the source that keys may come from. */
  readonly sources: readonly { readonly port: RedisPort; readonly attempt: Attempt }[];
  readonly attemptTarget: Attempt;
}

/** The source does not look as it should when keys are to be deleted because it does not have them. */
export class SourceDoubtError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SourceDoubtError';
  }
}

/**
 * Deletes keys from the target that the source does not have, after another look at how many keys the source has: it may have
 * been emptied since the plan was made. Returns how many are gone.
 * @throws SourceDoubtError
 */
export async function deleteExtra(keys: readonly Buffer[], context: DeleteContext): Promise<number> {
  if (keys.length === 0) return 0;
  const { plan, target, sources, attemptTarget } = context;
  const { force, limits } = plan.request;
  if (!force) {
    const sizes = await Promise.all(
      sources.map(({ port, attempt }) => attempt(async () => asNumber(await port.call('DBSIZE')))),
    );
    const doubt = doubtOfSource({
      sourceKeys: sizes.reduce((sum, size) => sum + size, 0),
      targetKeys: plan.targetKeysAtStart,
      shrinkPercent: limits.shrinkPercent,
    });
    if (doubt !== undefined) throw new SourceDoubtError(doubt);
  }
  const replies = await attemptTarget(() => target.pipeline(keys.map((key): Command => ['UNLINK', key])));
  for (const reply of replies) if (reply instanceof Error) throw reply;
  return keys.length;
}
