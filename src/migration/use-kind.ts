import type { ServerFacts, TargetAbilities } from '../redis/probe';

/** How a server that evicts keys knows which are used: how often (LFU), or how long ago (LRU). As OBJECT and RESTORE call it. */
export type UseKind = 'FREQ' | 'IDLETIME';

type Evicting = Pick<ServerFacts, 'evictionPolicy'>;

/** What the source evicts by. */
function kindOfSource({ evictionPolicy }: Evicting): UseKind | undefined {
  if (evictionPolicy.endsWith('lfu')) return 'FREQ';
  return evictionPolicy.endsWith('lru') ? 'IDLETIME' : undefined;
}

/**
 * What of the keys' use is carried over: what the source evicts by, where the target keeps the same. A target without LFU keeps idle
 * times whatever its policy, also while it evicts nothing.
 */
export function useCarried({
  source,
  target,
}: {
  readonly source: Evicting;
  readonly target: Evicting & { readonly abilities: Pick<TargetAbilities, 'absoluteExpiry'> };
}): UseKind | undefined {
  // RESTORE takes it from the version on that it takes absolute expiries.
  if (!target.abilities.absoluteExpiry || target.evictionPolicy === 'unknown') return undefined;
  const kind = kindOfSource(source);
  return (kind === 'FREQ') === target.evictionPolicy.endsWith('lfu') ? kind : undefined;
}
