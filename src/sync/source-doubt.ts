/** Numbers of keys in the databases concerned, and the limit in percent of the target's. */
export interface SourceNumbers {
  readonly sourceKeys: number;
  readonly targetKeys: number;
  readonly shrinkPercent: number;
}

/**
 * Why a source must not be believed when it says that keys are gone: it is empty, or has shrunk against the target by more
 * than the limit. Undefined where nothing speaks against it.
 */
export function doubtOfSource({ sourceKeys, targetKeys, shrinkPercent }: SourceNumbers): string | undefined {
  const advice = 'If that is right, ask again with "force": true.';
  if (sourceKeys === 0 && targetKeys > 0) {
    return `The source is empty and the target has ${targetKeys} keys: nothing is deleted from it. ${advice}`;
  }
  if (sourceKeys < targetKeys * (1 - shrinkPercent / 100)) {
    return `The source has ${sourceKeys} keys and the target ${targetKeys}, so it has shrunk by more than ${shrinkPercent} %: nothing is deleted. ${advice}`;
  }
  return undefined;
}
