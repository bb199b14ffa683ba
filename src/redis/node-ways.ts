import { isIP } from 'node:net';
import { firstOf } from '../basics/first-of';
import { RedisConnection } from './connection';
import type { ConnectionSettings } from './connection-settings';
import type { CredentialSource } from './credentials';
import { isRedisError, RedisError } from './errors';
import { mappedNode } from './node-map';
import { selfOf } from './node-list';
import { idsToldBy } from './told-ids';
import { addressText, type ClusterNode, type NodeAddress } from './topology';

/** A way, or a node, that gives no answer for so long has the next one tried beside it, ms. */
export const STAGGER_MS = 300;

/** How a place came to be one: what was so for one node is likely so for the next. */
type Kind = 'mapped' | 'announced' | 'seed' | 'shifted' | 'seedShifted';

interface Place extends NodeAddress {
  readonly kind: Kind;
}

/** Opened to a node, and how that was done. */
export interface WayFound {
  readonly settings: ConnectionSettings;
  readonly connection: RedisConnection;
}

/**
 * Where a node may be reached, the likeliest first: where the settings say, and nowhere else where they do; as it announces itself;
 * at the connection's own host, as behind one address for all nodes; and each with the port that is as far from the announced one as
 * the connection's is from what its node announces: servers up to 7.0 announce their plain ports on TLS.
 * @param shift the connection's port less the one that the node behind it announces; 0 where that is not known
 */
export function placesOf(node: ClusterNode, seed: ConnectionSettings, shift: number): Place[] {
  if (addressText(node) === addressText(seed)) return [{ host: seed.host, port: seed.port, kind: 'announced' }];
  const mapped = mappedNode(seed.nodes ?? [], node);
  if (mapped !== undefined) return [{ ...mapped, kind: 'mapped' }];
  const shifted = node.port + shift;
  const announced = [node.host, ...(node.otherHosts ?? [])];
  const places = [
    ...announced.map((host): Place => ({ host, port: node.port, kind: 'announced' })),
    { host: seed.host, port: node.port, kind: 'seed' as const },
    ...announced.map((host): Place => ({ host, port: shifted, kind: 'shifted' })),
    { host: seed.host, port: shifted, kind: 'seedShifted' as const },
  ].filter(({ port }) => port >= 1 && port <= 65_535);
  const first = new Map<string, Place>();
  for (const place of places) if (!first.has(addressText(place))) first.set(addressText(place), place);
  return [...first.values()];
}

/** The names under which a node's certificate is looked at, the likeliest first; undefined: its host's own. */
export function certificateNames({ host }: NodeAddress, { tls, tlsHost, host: seedHost }: ConnectionSettings) {
  if (!tls) return [undefined];
  if (tlsHost !== undefined) return [tlsHost];
  const name = isIP(seedHost) === 0 ? seedHost : undefined;
  return [...new Set(isIP(host) === 0 ? [undefined, name] : [name, undefined])];
}

/** Finds out how the nodes of a cluster are reached, by trying, and keeps what was found. */
export class NodeWays {
  private readonly found = new Map<string, ConnectionSettings>();
  private readonly finding = new Map<string, Promise<WayFound>>();
  private readonly opening = new Set<RedisConnection>();
  /** The ids of nodes that the cluster is known to have. */
  private ids: ReadonlySet<string> = new Set();
  private shift = 0;
  private lastKind: Kind = 'announced';

  constructor(
    private readonly seed: ConnectionSettings,
    private readonly clientName: string,
    private readonly credentials?: CredentialSource,
  ) {}

  /** Takes over which nodes there are. @param nodes the reply of CLUSTER NODES from the connection itself, where there is one */
  learn(ids: Iterable<string>, nodes?: string): void {
    this.ids = new Set(ids);
    const self = nodes === undefined ? undefined : selfOf(nodes);
    if (self?.port !== undefined) this.shift = this.seed.port - self.port;
  }

  /** How a node was reached last; undefined where that is not known. */
  known(node: NodeAddress): ConnectionSettings | undefined {
    return this.found.get(addressText(node));
  }

  /**
   * Opens a connection to a node by the first way that leads to it, and not to another server.
   * @throws RedisError what the likeliest way says, where none does
   */
  async open(node: ClusterNode): Promise<WayFound> {
    const text = addressText(node);
    const finding =
      this.finding.get(text) ??
      this.find(node).finally(() => {
        this.finding.delete(text);
      });
    this.finding.set(text, finding);
    return await finding;
  }

  /** Ends what is being tried. */
  close(): void {
    for (const connection of this.opening) connection.close();
  }

  private async find(node: ClusterNode): Promise<WayFound> {
    const places = placesOf(node, this.seed, this.shift);
    // What led to another node is tried first; the sort keeps the order otherwise.
    places.sort((a, b) => Number(b.kind === this.lastKind) - Number(a.kind === this.lastKind));
    const begun: RedisConnection[] = [];
    const { kind, ...found } = await firstOf(
      places.map((place) => async () => ({ ...(await this.openAt(place, node, begun)), kind: place.kind })),
      STAGGER_MS,
    ).catch((error: unknown) => {
      throw isRedisError(error, ...LEADS_NOWHERE)
        ? new RedisError('nodeUnreachable', this.seed.name, { code: error.kind, cause: error })
        : error;
    });
    for (const connection of begun) if (connection !== found.connection) connection.close();
    this.lastKind = kind;
    const text = addressText(node);
    // The same object as long as it is the same way: who keeps one sees that.
    const before = this.found.get(text);
    const settings = before !== undefined && isSameWay(before, found.settings) ? before : found.settings;
    this.found.set(text, settings);
    return { settings, connection: found.connection };
  }

  /** @param begun takes each connection that is tried */
  private async openAt(place: Place, node: ClusterNode, begun: RedisConnection[]): Promise<WayFound> {
    let failure: unknown;
    for (const tlsHost of certificateNames(place, this.seed)) {
      const { tlsHost: _, ...seed } = this.seed;
      const { host, port } = place;
      const settings = { ...seed, host, port, ...(tlsHost === undefined ? {} : { tlsHost }) };
      const connection = new RedisConnection(settings, 0, this.clientName, this.credentials);
      begun.push(connection);
      this.opening.add(connection);
      try {
        await connection.ready();
        await this.recognise(connection, node);
        return { settings, connection };
      } catch (error) {
        connection.close();
        failure = error;
        if (!isRedisError(error, 'certificate')) break;
      } finally {
        this.opening.delete(connection);
      }
    }
    throw failure;
  }

  /** @throws RedisError where it is a server of another cluster, or another node of this one */
  private async recognise(connection: RedisConnection, node: ClusterNode): Promise<void> {
    if (this.ids.size === 0) return;
    const { self, ids } = await idsToldBy(connection);
    const isOther = self !== undefined && node.id !== undefined && self !== node.id;
    if (isOther || !ids.some((id) => this.ids.has(id))) throw new RedisError('otherNode', this.seed.name);
  }
}

const LEADS_NOWHERE = [
  'hostUnknown',
  'hostUnreachable',
  'connectionRefused',
  'timeout',
  'closedAtOnce',
  'notTls',
  'notRedis',
  'otherNode',
] as const;

function isSameWay(one: ConnectionSettings, other: ConnectionSettings): boolean {
  return one.host === other.host && one.port === other.port && one.tlsHost === other.tlsHost;
}
