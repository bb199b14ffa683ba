import type { Since } from './since';

/** Numbers of keys in the databases concerned. */
export interface SourceNumbers {
  /** Undefined where the side does not tell. */
  readonly sourceKeys: number | undefined;
  /** The larger of what the target had when planned and what it has now. */
  readonly targetKeys: number | undefined;
  /** How much fewer keys than the target, in percent, a source may have. */
  readonly shrinkPercent: number;
}

/**
 * Why a source must not be believed when it says that keys are gone: it is empty, or has shrunk against the target by more
 * than the limit, or nobody can tell. Undefined where nothing speaks against it.
 */
export function doubtOfSource({ sourceKeys, targetKeys, shrinkPercent }: SourceNumbers): string | undefined {
  const advice = 'If that is right, ask again with "force": true.';
  if (sourceKeys === undefined || targetKeys === undefined) {
    const side = sourceKeys === undefined ? 'source' : 'target';
    return `The ${side} does not tell how many keys it has, so that a source that lost its keys would not be noticed: nothing is deleted. Allow INFO keyspace or DBSIZE. If all keys of the source are known to be there, ask again with "force": true.`;
  }
  if (sourceKeys === 0 && targetKeys > 0) {
    return `The source is empty and the target has ${targetKeys} keys: nothing is deleted from it. ${advice}`;
  }
  if (sourceKeys < targetKeys * (1 - shrinkPercent / 100)) {
    return `The source has ${sourceKeys} keys and the target ${targetKeys}, which is over ${shrinkPercent} % fewer: nothing is deleted. ${advice}`;
  }
  return undefined;
}

/** The source of a sync that deletes: what has become of it since it was planned. */
export interface SourceSincePlan {
  readonly since: Pick<Since, 'process' | 'flushed' | 'reset'>;
  /** Keys when planned, and now; undefined where it does not tell. */
  readonly sourceKeysAtStart: number | undefined;
  readonly sourceKeys: number | undefined;
  readonly shrinkPercent: number;
}

const END =
  'Nothing more is deleted from the target or written to it. Start the sync again once the source is as it should be.';

/** Why a sync that deletes ends when its source is another server process than when it was planned. */
export const ANOTHER_SOURCE = `The source restarted, failed over or changed its replication during a sync that deletes. ${END}`;

/**
 * Why nothing may be deleted any more because the source does not have it: it must still be the process that was planned
 * with, not flushed, and not shrunk. Undefined where nothing speaks against it.
 */
export function doubtOfCourse(course: SourceSincePlan): string | undefined {
  const { since, sourceKeysAtStart = 0, sourceKeys, shrinkPercent } = course;
  if (since.process === 'changed') return ANOTHER_SOURCE;
  if (since.process === 'unknown') {
    return `The source does not tell whether it is still the same server process, which a sync that deletes must know. ${END}`;
  }
  if (since.reset) {
    return `The counters of the source were set back (CONFIG RESETSTAT) during a sync that deletes, so that a flush would not be seen. ${END}`;
  }
  if (since.flushed === 'yes') {
    return `A database of the source was flushed or exchanged (FLUSHALL, FLUSHDB, SWAPDB) during a sync that deletes. ${END}`;
  }
  if (sourceKeys !== undefined && sourceKeys < sourceKeysAtStart * (1 - shrinkPercent / 100)) {
    return `The source had ${sourceKeysAtStart} keys when the sync was planned and has ${sourceKeys} now: it has shrunk by more than ${shrinkPercent} %. ${END}`;
  }
  return undefined;
}
