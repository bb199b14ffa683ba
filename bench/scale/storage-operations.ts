import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ClientRequest, IncomingMessage } from 'node:http';

/** What Azure bills each request to storage as, by what it does. */
export const operationKinds = ['table reads', 'table queries', 'table writes', 'queue messages'] as const;
export type OperationKind = (typeof operationKinds)[number];

/** How many requests there were of each kind, and how many of them somebody else had come before (409 and 412). */
export type Operations = Readonly<Record<OperationKind | 'conflicts', number>>;

export const noOperations: Operations = {
  ...{ 'table reads': 0, 'table queries': 0, 'table writes': 0 },
  ...{ 'queue messages': 0, conflicts: 0 },
};

/** Counts what goes over HTTP to a storage account, tries that are sent again among it. */
export class StorageOperations {
  private counted: { -readonly [kind in keyof Operations]: number } = { ...noOperations };
  private readonly tables: string;
  private readonly queues: string;

  constructor(connectionString: string) {
    const hostOf = (service: string) => {
      const [, url] = new RegExp(`${service}Endpoint=([^;]+)`).exec(connectionString) ?? [];
      return new URL(url ?? '').host;
    };
    [this.tables, this.queues] = [hostOf('Table'), hostOf('Queue')];
    subscribe('http.client.response.finish', this.count);
  }

  /** What was counted since this was asked last. */
  take(): Operations {
    const { counted } = this;
    this.counted = { ...noOperations };
    return counted;
  }

  end(): void {
    unsubscribe('http.client.response.finish', this.count);
  }

  private readonly count = (message: unknown): void => {
    const { request, response } = message as { request: ClientRequest; response: IncomingMessage };
    const kind = this.kindOf(request);
    if (kind === undefined) return;
    this.counted[kind]++;
    if (response.statusCode === 409 || response.statusCode === 412) this.counted.conflicts++;
  };

  private kindOf(request: ClientRequest): OperationKind | undefined {
    const host = request.getHeader('host') ?? request.host;
    if (host === this.queues) return 'queue messages';
    if (host !== this.tables) return undefined;
    if (request.method !== 'GET') return 'table writes';
    // A single entity is named by both of its keys.
    return decodeURIComponent(request.path).includes('(PartitionKey=') ? 'table reads' : 'table queries';
  }
}

export function sumOf(all: readonly Operations[]): Operations {
  const sum = { ...noOperations };
  for (const each of all)
    for (const kind of [...operationKinds, 'conflicts'] as const)
      Object.assign(sum, { [kind]: sum[kind] + each[kind] });
  return sum;
}
