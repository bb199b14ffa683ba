import type { NodeAddress } from './topology';

/** One line of a map: nodes that announce this are reached there. */
interface Line {
  readonly announced: Partial<NodeAddress>;
  readonly reached: Partial<NodeAddress>;
}

/** Where nodes of a cluster are reached that announce addresses which do not lead to them. */
export type NodeMap = readonly Line[];

/**
 * Reads "10.0.2.4:8500=cache.example:8500, 10.0.2.5=b.example, *:6379=*:6380": what a node announces, and where it is reached; a host
 * of * stands for any, or the same, and so does a port that is left out. Undefined where it cannot be read.
 */
export function parseNodeMap(text: string): NodeMap | undefined {
  const lines: Line[] = [];
  for (const part of text.split(/[\s,;]+/).filter((each) => each !== '')) {
    const [left = '', right = '', ...more] = part.split('=');
    const [announced, reached] = [parseEnd(left), parseEnd(right)];
    if (announced === undefined || reached === undefined || more.length > 0) return undefined;
    lines.push({ announced, reached });
  }
  return lines;
}

function parseEnd(text: string): Partial<NodeAddress> | undefined {
  const [, bracketed, plain = '', digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([\w.*-]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === '' || (host.includes('*') && host !== '*')) return undefined;
  if (digits !== undefined && (port < 1 || port > 65_535)) return undefined;
  return { ...(host === '*' ? {} : { host }), ...(digits === undefined ? {} : { port }) };
}

/** Where the first line that fits says that a node is reached; undefined where none fits. */
export function mappedNode(map: NodeMap, { host, port }: NodeAddress): NodeAddress | undefined {
  const line = map.find(
    ({ announced }) =>
      (announced.host === undefined || announced.host.toLowerCase() === host.toLowerCase()) &&
      (announced.port === undefined || announced.port === port),
  );
  return line === undefined ? undefined : { host: line.reached.host ?? host, port: line.reached.port ?? port };
}
