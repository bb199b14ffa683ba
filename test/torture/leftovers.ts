import type { ServerSide } from './server-side';

/** Keys of ours on a server, each as "source 0:name". */
async function keysOfOurs(side: ServerSide): Promise<string[]> {
  const found: string[] = [];
  const info = String(await side.call('INFO', 'keyspace'));
  for (const [, number] of info.matchAll(/^db(\d+):/gm)) {
    const client = side.client(Number(number));
    let cursor = '0';
    do {
      const [next, keys] = await client.scanBuffer(cursor, 'MATCH', 'keyferry:*', 'COUNT', 2_000);
      for (const key of keys) found.push(`${side.name} ${number}:${key.toString('latin1')}`);
      cursor = next.toString();
    } while (cursor !== '0');
    client.disconnect();
  }
  return found;
}

/** Keys of ours on both servers. */
export async function leftovers(sides: readonly ServerSide[]): Promise<string[]> {
  const found: string[] = [];
  for (const side of sides) found.push(...(await keysOfOurs(side)));
  return [...new Set(found)];
}
