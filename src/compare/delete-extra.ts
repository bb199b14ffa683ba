import { inPieces } from '../basics/in-pieces';
import type { Plan } from '../migration/plan';
import { sourceKeysAtStart } from '../migration/report';
import { keysIn, type SideFacts } from '../app/side-facts';
import type { SideName } from '../migration/phases';
import { isFollowed } from '../migration/phases';
import { markOf, since, type Mark } from '../migration/since';
import { throwErrors } from '../transfer/by-commands/replies';
import { asksOf } from '../redis/errors';
import type { Command, RedisPort } from '../redis/redis-port';
import { pause, type StopSignal } from '../migration/stop';
import { doubtOfCourse, doubtOfSource } from '../migration/source-doubt';

export interface DeleteContext {
  readonly plan: Plan;
  /** What the source was when it was begun to be believed. */
  readonly believed: Mark;
  readonly target: RedisPort;
  /** Those of the keys that the source has under none of their names. */
  readonly stillExtra: (keys: readonly Buffer[]) => Promise<readonly Buffer[]>;
  /** What both sides are now, asked once. */
  readonly factsOf: (side: SideName) => Promise<SideFacts>;
  readonly stop: StopSignal;
  /** Told what holds the deletion up, and null when it goes on. */
  readonly onTrouble: (trouble: string | null) => void;
}

/** Keys that are looked at and deleted together: few, so that little time passes between. */
const KEYS_AT_ONCE = 1_000;
const RETRY_MS = 500;

/** The source does not look as it should when keys are to be deleted because it does not have them. */
export class SourceDoubtError extends Error {
  constructor(
    message: string,
    /** It restarted, or lost its data or its counters, in the middle of a pass: where it is followed another pass begins. */
    readonly isGap = false,
  ) {
    super(message);
    this.name = 'SourceDoubtError';
  }
}

/**
 * Deletes keys from the target that the source was seen not to have, some at a time: another look for them, then a look at the
 * source, which must still be the process that was planned with, not flushed and not shrunk, then the deletion, with nothing
 * tried again in between. So whatever happened to the source before the look for the keys shows in the look at the source, and
 * between the look for a key and its deletion pass milliseconds. Returns how many are gone.
 * @throws SourceDoubtError, StoppedError
 */
export async function deleteExtra(keys: readonly Buffer[], context: DeleteContext): Promise<number> {
  let deleted = 0;
  for (const some of inPieces(keys, KEYS_AT_ONCE)) deleted += await deleteSome(some, context);
  return deleted;
}

async function deleteSome(keys: readonly Buffer[], context: DeleteContext): Promise<number> {
  const { target, stop } = context;
  for (;;) {
    const extra = await context.stillExtra(keys);
    if (extra.length === 0) return 0;
    try {
      const [source, present] = await Promise.all([context.factsOf('source'), context.factsOf('target')]);
      throwDoubts(context, source, present);
      stop.check();
      throwErrors(await target.pipeline(extra.map((key): Command => ['UNLINK', key])));
      context.onTrouble(null);
      return extra.length;
    } catch (error) {
      if (asksOf(error) !== 'retry') throw error;
      // What was seen before counts no more.
      context.onTrouble('A side does not answer at the moment: nothing is deleted until both do.');
      await pause(RETRY_MS, stop);
    }
  }
}

/** @throws SourceDoubtError */
function throwDoubts({ plan, believed }: DeleteContext, source: SideFacts, target: SideFacts): void {
  const { shrinkPercent } = plan.request.limits;
  const sourceKeys = keysIn(source, plan, 'source');
  const course = since(believed, markOf(source));
  // One that is followed for long may shrink in its own time.
  const atStart = isFollowed(plan) ? undefined : sourceKeysAtStart(plan);
  const doubt = doubtOfCourse({ since: course, sourceKeysAtStart: atStart, sourceKeys, shrinkPercent });
  if (doubt !== undefined) throw new SourceDoubtError(doubt, course.process !== 'unknown');
  // A source that tells that it was not flushed has what it had; that it is smaller than the target, the user may have excused.
  // One that is followed may have lost its keys before the pass began: it must be unbroken since the plan.
  const sincePlan = isFollowed(plan) ? since(markOf(plan.source), markOf(source)) : course;
  const isUnbroken = sincePlan.flushed === 'no' && (sincePlan.process === 'same' || !isFollowed(plan));
  if (isUnbroken || plan.request.force) return;
  const targetKeys = larger(plan.targetKeysAtStart, keysIn(target, plan, 'target'));
  const shrunk = doubtOfSource({ sourceKeys, targetKeys, shrinkPercent });
  if (shrunk !== undefined) throw new SourceDoubtError(shrunk);
}

/** Unknown where one of both is. */
function larger(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : Math.max(one, other);
}
