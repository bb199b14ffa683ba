/** Numbers of keys in the databases concerned, and the limit in percent of the target's. */
export interface SourceNumbers {
  /** Undefined where the side does not tell. */
  readonly sourceKeys: number | undefined;
  readonly targetKeys: number | undefined;
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
    return `The source has ${sourceKeys} keys and the target ${targetKeys}, so it has shrunk by more than ${shrinkPercent} %: nothing is deleted. ${advice}`;
  }
  return undefined;
}
