/** A line of CLUSTER NODES: "<id> <ip:port@cport[,hostname…]> <flags> …". */
interface NodeLine {
  readonly id: string;
  /** Undefined where it tells none. */
  readonly port: number | undefined;
  readonly flags: readonly string[];
}

function linesOf(nodes: string): NodeLine[] {
  return nodes.split('\n').flatMap((line): NodeLine[] => {
    const [id = '', address = '', flags = ''] = line.split(' ');
    if (flags === '') return [];
    const port = Number(/:(\d{1,5})(?:@|,|$)/.exec(address)?.[1]);
    return [{ id, port: port >= 1 && port <= 65_535 ? port : undefined, flags: flags.split(',') }];
  });
}

/** What the node that gave this reply of CLUSTER NODES says of itself; undefined where it does not. @see https://redis.io/docs/latest/commands/cluster-nodes/ */
export function selfOf(nodes: string): NodeLine | undefined {
  return linesOf(nodes).find(({ flags }) => flags.includes('myself'));
}

/** The ids of all nodes of a reply of CLUSTER NODES. */
export function idsOf(nodes: string): string[] {
  return linesOf(nodes).map(({ id }) => id);
}
