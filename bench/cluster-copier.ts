/**
 * The yardstick for clusters: pipeline-copier.ts, which walks the masters of a source one after the other, writes each page to the nodes that
 * it believes to own the keys, and follows MOVED. It keeps what it learns by that.
 * Usage: node cluster-copier.js SOURCE_URL TARGET_URL
 */
import { Redis } from 'ioredis';
import { hashSlot, SLOTS } from '../src/keyspace/hash-slot';
import { readPages, writePage, type Entry } from './read-pages';

/** The masters behind a URL; the server itself where it is in no cluster. */
async function mastersOf(url: string): Promise<string[]> {
  const client = new Redis(url);
  try {
    if (!(await client.info('cluster')).includes('cluster_enabled:1')) return [url];
    const slots = (await client.cluster('SLOTS')) as unknown as readonly [number, number, [string, number]][];
    return [...new Set(slots.map(([, , [host, port]]) => `redis://${host}:${port}`))];
  } finally {
    client.disconnect();
  }
}

class Writer {
  private readonly clients = new Map<string, Redis>();
  private readonly owners = new Array<string | undefined>(SLOTS);

  constructor(private readonly first: string) {}

  async write(entries: readonly Entry[]): Promise<void> {
    for (let open = entries; open.length > 0;) {
      const byNode = new Map<string, Entry[]>();
      for (const entry of open) {
        const node = this.owners[hashSlot(entry[0])] ?? this.first;
        const own = byNode.get(node) ?? [];
        own.push(entry);
        byNode.set(node, own);
      }
      const refused = await Promise.all([...byNode].map(async ([node, own]) => await this.writeTo(node, own)));
      open = refused.flat();
    }
  }

  /** Gives those that are sent on. */
  private async writeTo(node: string, entries: readonly Entry[]): Promise<Entry[]> {
    const client = this.clients.get(node) ?? new Redis(node);
    this.clients.set(node, client);
    const errors = await writePage(client, entries);
    return entries.filter((_, i) => {
      const [, slot, address] = /^MOVED (\d+) (\S+)$/.exec(errors[i]?.message ?? '') ?? [];
      if (address === undefined) return false;
      this.owners[Number(slot)] = `redis://${address}`;
      return true;
    });
  }

  close(): void {
    for (const client of this.clients.values()) client.disconnect();
  }
}

async function main(): Promise<void> {
  const [sourceUrl = '', targetUrl = ''] = process.argv.slice(2);
  const writer = new Writer(targetUrl);
  for (const url of await mastersOf(sourceUrl)) {
    const source = new Redis(url);
    for await (const { entries } of readPages(source)) await writer.write(entries);
    source.disconnect();
  }
  writer.close();
}

void main();
