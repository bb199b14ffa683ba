import type { RedisPort } from '../../redis/redis-port';
import type { BodyContext, ChunkBudget } from './types';

/** Where a value is looked at again. */
export interface LookSide {
  readonly port: RedisPort;
  readonly key: Buffer;
  /** Whether scripts are allowed there. */
  readonly script: boolean;
  readonly budget: ChunkBudget | undefined;
}

/** The key as the source has it, and the copy as built. */
export function lookSidesOf({
  source,
  sourceKey,
  temporary,
  options,
}: BodyContext): Record<'source' | 'copy', LookSide> {
  const { budget, scripts } = options;
  return {
    source: { port: source, key: sourceKey, script: scripts.source, budget },
    copy: { port: temporary.reader, key: temporary.name, script: scripts.target, budget },
  };
}
