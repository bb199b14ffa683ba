/**
 * A line of CLUSTER NODES: "<id> <ip:port@cport[,hostname…]> <flags> <master> <ping> <pong> <epoch> <link> <slot> …", slots as "7", "0-5460",
 * and those on their way as "[93-<-id]" and "[93->-id]".
 */
interface NodeLine {
  readonly id: string;
  /** Empty where it is not known, or not told. */
  readonly host: string;
  /** Undefined where it tells none. */
  readonly port: number | undefined;
  readonly flags: readonly string[];
  /** Of its claim to its slots. */
  readonly epoch: string;
  /** First and last slot of each run of slots that it has. */
  readonly slots: readonly (readonly [first: number, last: number])[];
  /** Slots that are on their way from it or to it; told by the node itself alone. */
  readonly open: readonly number[];
}

/** A line without what it says of slots: each of hundreds of nodes tells of all of them. */
type NodeHead = Omit<NodeLine, 'slots' | 'open'>;

function headsOf(nodes: string): NodeHead[] {
  return nodes.split('\n').flatMap((line): NodeHead[] => {
    const [id = '', address = '', flags = '', , , , epoch = ''] = line.trim().split(' ', 7);
    if (flags === '') return [];
    const port = Number(/:(\d{1,5})(?:@|,|$)/.exec(address)?.[1]);
    return [
      {
        id,
        host: address.slice(0, Math.max(0, address.lastIndexOf(':'))),
        port: port >= 1 && port <= 65_535 ? port : undefined,
        flags: flags.split(','),
        epoch,
      },
    ];
  });
}

function slotsOf(line: string): Pick<NodeLine, 'slots' | 'open'> {
  const [, , , , , , , , ...slots] = line.trim().split(' ');
  return {
    slots: slots.flatMap((run): [number, number][] => {
      const [, first, last] = /^(\d+)(?:-(\d+))?$/.exec(run) ?? [];
      return first === undefined ? [] : [[Number(first), Number(last ?? first)]];
    }),
    open: slots.flatMap((run) => {
      const slot = /^\[(\d+)-/.exec(run)?.[1];
      return slot === undefined ? [] : [Number(slot)];
    }),
  };
}

/** What the node that gave this reply of CLUSTER NODES says of itself; undefined where it does not. @see https://redis.io/docs/latest/commands/cluster-nodes/ */
export function selfOf(nodes: string): NodeLine | undefined {
  for (const line of nodes.split('\n')) {
    const [head] = line.includes('myself') ? headsOf(line) : [];
    if (head?.flags.includes('myself') === true) return { ...head, ...slotsOf(line) };
  }
  return undefined;
}

/** Which slots a node says that it has: another text as soon as any was on its way. */
export interface OwnSlots {
  /** Its id, config epoch and slots, those on their way among them. */
  readonly text: string;
  /** Some slots are on their way to it or from it. */
  readonly areMoving: boolean;
}

/**
 * The slots of the node that gave this reply of CLUSTER NODES, as its own line tells them; undefined where it has none. A slot that came
 * back bears a later epoch.
 */
export function ownSlotsOf(nodes: string): OwnSlots | undefined {
  const self = selfOf(nodes);
  if (self === undefined) return undefined;
  const { id, epoch, slots, open } = self;
  return { text: JSON.stringify([id, epoch, slots, open]), areMoving: open.length > 0 };
}

/** The config epochs of the nodes of a reply of CLUSTER NODES, by their ids: of two that claim a slot the later one has it. */
export function epochsOf(nodes: string): ReadonlyMap<string, bigint> {
  return new Map(
    headsOf(nodes).flatMap(({ id, epoch }) => (/^\d+$/.test(epoch) ? [[id, BigInt(epoch)] as const] : [])),
  );
}

/** Where the nodes of a reply of CLUSTER NODES are, also those that CLUSTER SLOTS leaves out: replicas that have just come, masters without slots. */
export function addressesOf(nodes: string): { readonly id: string; readonly host: string; readonly port: number }[] {
  return headsOf(nodes).flatMap(({ id, host, port, flags }) =>
    port === undefined || flags.includes('handshake') || flags.includes('noaddr') ? [] : [{ id, host, port }],
  );
}

/** The ids of all nodes of a reply of CLUSTER NODES. */
export function idsOf(nodes: string): string[] {
  return headsOf(nodes).map(({ id }) => id);
}

/**
 * The ids of those replicas of the node that gave this reply of CLUSTER NODES which it does not reach: it says that they failed, or that there
 * is no link to them.
 */
export function lostReplicasOf(nodes: string): string[] {
  const self = selfOf(nodes);
  if (self === undefined) return [];
  return nodes.split('\n').flatMap((line) => {
    const [id = '', , flags = '', master, , , , link] = line.trim().split(' ', 8);
    const isLost = link === 'disconnected' || /(^|,)fail\??(,|$)/.test(flags);
    return master === self.id && isLost ? [id] : [];
  });
}
