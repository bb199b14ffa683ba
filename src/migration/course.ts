import type { ServerFacts } from '../redis/probe';
import { markOf, since, UNTOLD, type Mark, type Since } from './since';

/**
 * How the keys of the target are looked at in the second look: whether they are there; their types, lengths and expiries too;
 * or their values as well.
 */
export const lookDepths = ['existence', 'quick', 'values'] as const;
export type LookDepth = (typeof lookDepths)[number];

type Process = Pick<Mark, 'runId' | 'replicationId'>;

/** What both sides have gone through while a migration ran. */
export interface Course {
  /** Both sides when the walk began that the verdict rests on. */
  readonly source: Mark;
  readonly target: Mark;
  /** The processes of both sides when they were seen last. */
  readonly seen: { readonly source: Process; readonly target: Process };
  /** How often each side was seen to be another process than before. */
  readonly restarts: { readonly source: number; readonly target: number };
  /** The target's restarts when that walk began. */
  readonly restartsBefore: number;
  /** How often that walk was begun anew. */
  readonly anew: number;
  readonly lookDepth: LookDepth | null;
}

/** As it is when a plan has been made. */
export function firstCourse(plan: { readonly source: ServerFacts; readonly target: ServerFacts }): Course {
  const [source, target] = [markOf(plan.source), markOf(plan.target)];
  return {
    source,
    target,
    seen: { source: processOf(source), target: processOf(target) },
    restarts: { source: 0, target: 0 },
    restartsBefore: 0,
    anew: 0,
    lookDepth: null,
  };
}

/** The same with a walk beginning now that the verdict will rest on. */
export function walkBegins(course: Course, source: Mark, target: Mark, lookDepth: LookDepth | null): Course {
  return { ...course, source, target, restartsBefore: course.restarts.target, lookDepth };
}

/** The same with a side as it is seen now; the very same where it is the process known. */
export function see(course: Course, side: 'source' | 'target', now: Mark): Course {
  const { seen, restarts } = course;
  if (since(seen[side], now).process !== 'changed') return course;
  return {
    ...course,
    seen: { ...seen, [side]: processOf(now) },
    restarts: { ...restarts, [side]: restarts[side] + 1 },
  };
}

/** What became of the target since the walk began: it may have been another process in between, too. */
export function sinceOfTarget(course: Course, now: Mark): Since {
  if (course.restarts.target > course.restartsBefore) return { ...UNTOLD, process: 'changed' };
  return since(course.target, now);
}

function processOf({ runId, replicationId }: Mark): Process {
  return { runId, replicationId };
}
