import type { Plan } from '../migration/plan';
import { sourceKeysAtStart } from '../migration/report';
import { keysIn, type SideFacts } from '../app/side-facts';
import { markOf, since } from '../migration/since';
import { throwErrors } from '../transfer/by-commands/replies';
import type { Command, RedisPort } from '../redis/redis-port';
import { doubtOfCourse, doubtOfSource } from '../migration/source-doubt';

type Attempt = <T>(call: () => Promise<T>) => Promise<T>;

export interface DeleteContext {
  readonly plan: Plan;
  readonly target: RedisPort;
  readonly attemptTarget: Attempt;
  /** Ask both sides what they are now. */
  readonly sourceFacts: () => Promise<SideFacts>;
  readonly targetFacts: () => Promise<SideFacts>;
}

/** The source does not look as it should when keys are to be deleted because it does not have them. */
export class SourceDoubtError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SourceDoubtError';
  }
}

/**
 * Deletes keys from the target that the source was seen not to have, after a look at the source: it must still be the process
 * that was planned with, not flushed, and not shrunk. That look comes after the keys were seen missing, so that whatever
 * happened to the source before shows in it. Returns how many are gone.
 * @throws SourceDoubtError
 */
export async function deleteExtra(keys: readonly Buffer[], context: DeleteContext): Promise<number> {
  if (keys.length === 0) return 0;
  const { plan, target, attemptTarget } = context;
  const [source, present] = await Promise.all([context.sourceFacts(), context.targetFacts()]);
  const { shrinkPercent } = plan.request.limits;
  const sourceKeys = keysIn(source, plan, 'source');
  const targetKeys = larger(plan.targetKeysAtStart, keysIn(present, plan, 'target'));
  const course = since(markOf(plan.source), markOf(source));
  // That the source is smaller than the target, the user may have excused; what happened to it since, never.
  const doubt =
    doubtOfCourse({ since: course, sourceKeysAtStart: sourceKeysAtStart(plan), sourceKeys, shrinkPercent }) ??
    (plan.request.force ? undefined : doubtOfSource({ sourceKeys, targetKeys, shrinkPercent }));
  if (doubt !== undefined) throw new SourceDoubtError(doubt);
  throwErrors(await attemptTarget(() => target.pipeline(keys.map((key): Command => ['UNLINK', key]))));
  return keys.length;
}

/** Unknown where one of both is. */
function larger(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : Math.max(one, other);
}
