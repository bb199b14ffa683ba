import { processesOf, togetherOf } from '../redis/merge-facts';
import type { ServerFacts } from '../redis/probe';
import type { Plan } from './plan';
import { walksOf, type LookDepth, type SideName, type Walk } from './phases';
import type { Finding, MigrationRow } from './rows';
import { nameOfSide } from './side-spec';
import { markOf, since, UNTOLD, type Mark, type Since } from './since';

type Process = Pick<Mark, 'runId' | 'replicationId' | 'formerReplicationId' | 'role'>;

/** What both sides have gone through while a migration ran. */
export interface Course {
  /** Both sides when the walk began that the verdict rests on. */
  readonly source: Mark;
  readonly target: Mark;
  /** The processes of both sides when they were seen last. */
  readonly seen: { readonly source: Process; readonly target: Process };
  /** How often each side was seen to be another process than before. */
  readonly restarts: { readonly source: number; readonly target: number };
  /** How often databases of the source were exchanged while it was walked; more than `MOST_EXCHANGES` where it was not walked anew for one. */
  readonly exchanges: number;
  /** The run ids that each side has had, in the order in which they were first met; the first and the latest of many. Of a cluster each has what was new in it. */
  readonly met: { readonly source: readonly string[]; readonly target: readonly string[] };
  /** How often a process of a side was met again after another one: one that restarts never is. */
  readonly returns: { readonly source: number; readonly target: number };
  /** The target's restarts when that walk began. */
  readonly restartsBefore: number;
  /** Whether the counters of each side were seen to be set back: of the source at any time, of the target since that walk began. */
  readonly reset: { readonly source: boolean; readonly target: boolean };
  /** The walks that have begun and count, in the order of the plan. */
  readonly walks: readonly Walk[];
  /** The process of the target that this migration holds as its writer. */
  readonly claimed: string;
  /** How often that walk was begun anew. */
  readonly anew: number;
  /** The session of whoever follows the source in which the last pass over it began; empty where none follows. */
  readonly session: string;
  /** How closely keys are looked at in that walk, where it was decided when it began. */
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
    exchanges: 0,
    met: { source: [source.runId], target: [target.runId] },
    returns: { source: 0, target: 0 },
    restartsBefore: 0,
    reset: { source: false, target: false },
    walks: [{ place: 0, epoch: 0 }],
    claimed: target.runId,
    anew: 0,
    session: '',
    lookDepth: null,
  };
}

/** The same with a walk beginning now that the verdict will rest on. */
export function walkBegins(course: Course, source: Mark, target: Mark, lookDepth: LookDepth | null): Course {
  const reset = { ...course.reset, target: false };
  return { ...course, source, target, restartsBefore: course.restarts.target, reset, lookDepth };
}

/** So often a walk begins anew for databases of the source that were exchanged (SWAPDB): which ones, a server does not tell. */
export const MOST_EXCHANGES = 3;

/** Whether databases of the source were exchanged since its walk began, which can be mended by walking it anew. */
export function mustWalkAnew({ source, exchanges }: Course, now: Mark): boolean {
  return exchanges < MOST_EXCHANGES && since(source, now).swapped;
}

/** So many processes of a side are remembered. */
const MOST_MET = 32;
/** A failover and the way back are a return or two; so many are several servers behind one endpoint. */
const MOST_RETURNS = 8;
/** So often a side may restart or fail over. */
const MOST_RESTARTS = 32;

/** The same with a side as it is seen now; the very same where it is the process known. */
export function see(course: Course, side: SideName, now: Mark): Course {
  const { seen, restarts, met, returns } = course;
  if (since(seen[side], now).process !== 'changed') return course;
  const isOther = now.runId !== '' && now.runId !== seen[side].runId;
  const isBack = isOther && withoutThose(met[side], now.runId) === '';
  return {
    ...course,
    seen: { ...seen, [side]: processOf(now) },
    restarts: { ...restarts, [side]: restarts[side] + 1 },
    met: isOther && !isBack ? { ...met, [side]: remember(met[side], now.runId) } : met,
    returns: isBack ? { ...returns, [side]: returns[side] + 1 } : returns,
  };
}

/** Those that it is now are always among them. */
function remember([first, ...others]: readonly string[], runId: string): readonly string[] {
  const kept = [...(first === undefined ? [] : [first]), ...others.slice(2 - MOST_MET)];
  return [...kept, withoutThose(kept, runId)];
}

/** The run id that stands for its processes that are not among others. */
function withoutThose(others: readonly string[], runId: string): string {
  const known = new Set(others.flatMap(processesOf));
  return togetherOf(processesOf(runId).filter((process) => !known.has(process)));
}

/**
 * Why nothing can come of a migration with what a side has been: its endpoint leads to one process and to another in turns, or it
 * restarts again and again. Undefined where nothing speaks against it. The nodes of a cluster may take each other's places.
 */
export function unsteady(
  { restarts, met, returns }: Course,
  side: SideName,
  plan: Pick<Plan, 'request' | SideName>,
): string | undefined {
  if (plan[side].cluster) return undefined;
  if (returns[side] >= MOST_RETURNS) return severalProcesses(nameOfSide(plan.request[side]), met[side].length);
  if (restarts[side] < MOST_RESTARTS) return undefined;
  return `The ${side} restarted, failed over or changed its replication ${restarts[side]} times during the migration. Start it again once the server is steady.`;
}

/** What is wrong with an endpoint that leads to several processes, and what to do. */
export function severalProcesses(connection: string, processes: number): string {
  return `The connection "${connection}" leads to ${processes} different server processes in turns: its endpoint is a name of several replicas, or a load balancer before them. A migration needs one and the same server all the time: give the address of one of them.`;
}

/** The same of one that leads to nodes of several clusters. */
export function severalClusters(connection: string, clusters: number): string {
  return `The connection "${connection}" leads to nodes of ${clusters} different clusters in turns: its endpoint is a name that several of them have, as while one takes the place of another. Give the address of a node of the one that is meant.`;
}

/** What became of the target since the walk began: it may have been another process in between, too. */
export function sinceOfTarget(course: Course, now: Mark): Since {
  if (course.restarts.target > course.restartsBefore) return { ...UNTOLD, process: 'changed' };
  return withReset(since(course.target, now), course.reset.target);
}

/** What became of the source since the walk began. */
export function sinceOfSource(course: Course, now: Mark): Since {
  return withReset(since(course.source, now), course.reset.source);
}

/** Of counters that were set back only that is known which has been since. */
export function withReset(course: Since, reset: boolean): Since {
  if (!reset) return course;
  const { flushed, evicted, written } = course;
  return {
    ...course,
    reset: true,
    flushed: flushed === 'yes' ? 'yes' : 'unknown',
    evicted: evicted === 0 ? 'unknown' : evicted,
    written: written === 'no' && course.changes === undefined ? 'unknown' : written,
  };
}

/** The same with counters of a side set back. */
export function seeReset(course: Course, side: SideName): Course {
  return course.reset[side] ? course : { ...course, reset: { ...course.reset, [side]: true } };
}

/** Whether a finding counts for a migration: it is not of a walk that has begun anew since. */
export function isCurrent(migration: MigrationRow): (finding: Pick<Finding, 'phase' | 'epoch'>) => boolean {
  const epochs = new Map(walksOf(migration).map(({ place, epoch }) => [migration.plan.phases[place]?.name, epoch]));
  return ({ phase, epoch }) => {
    if (phase === undefined || epoch === undefined) return true;
    return epoch >= (epochs.get(phase) ?? Number.POSITIVE_INFINITY);
  };
}

function processOf({ runId, replicationId, formerReplicationId, role }: Mark): Process {
  return { runId, replicationId, formerReplicationId, role };
}
