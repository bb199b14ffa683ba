import { RedisError } from './errors';
import { idsOf, selfOf } from './node-list';
import type { RedisPort, Reply } from './redis-port';
import { idsOfTopology, parseTopology } from './topology';

/** Nodes that one node of a cluster tells of. */
export interface ToldIds {
  /** Its own; undefined where it does not tell. */
  readonly self: string | undefined;
  /** Of all that it names; none where it tells none. */
  readonly ids: readonly string[];
}

/** Which nodes one names, by CLUSTER NODES and CLUSTER SLOTS: a user may lack the right to either. @throws RedisError what passes by itself */
export async function idsToldBy(port: RedisPort): Promise<ToldIds> {
  const replies = await port.pipeline([
    ['CLUSTER', 'NODES'],
    ['CLUSTER', 'SLOTS'],
  ]);
  for (const reply of replies) if (reply instanceof RedisError && reply.asks === 'retry') throw reply;
  const [nodes, slots] = replies;
  const text = Buffer.isBuffer(nodes) ? nodes.toString('latin1') : '';
  return { self: selfOf(text)?.id, ids: [...idsOf(text), ...idsInSlots(slots)] };
}

/** None where it is refused, or answered as no node does. */
function idsInSlots(slots: Reply | RedisError | undefined): readonly string[] {
  if (!Array.isArray(slots)) return [];
  try {
    return idsOfTopology(parseTopology(slots, ''));
  } catch (error) {
    if (error instanceof TypeError) return [];
    throw error;
  }
}

/** Something that has ids, some of which others may have too. */
interface Known {
  readonly ids: readonly string[];
}

/** The first of each group of such as share an id, directly or by others between them. */
export function oneOfEach<T extends Known>(all: readonly T[]): readonly T[] {
  let groups: { readonly first: T; readonly ids: ReadonlySet<string> }[] = [];
  for (const each of all) {
    const shared = groups.filter(({ ids }) => each.ids.some((id) => ids.has(id)));
    const joined = {
      first: shared[0]?.first ?? each,
      ids: new Set([...each.ids, ...shared.flatMap(({ ids }) => [...ids])]),
    };
    groups = [...groups.filter((group) => !shared.includes(group)), joined];
  }
  return groups.map(({ first }) => first);
}
