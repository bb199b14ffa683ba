import { Redis } from 'ioredis';

/** Keys a database, as the server itself says. @throws Error where it cannot be asked */
export async function keysByDatabase(url: string): Promise<Map<number, number>> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: null });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const info = await client.info('keyspace');
    return new Map([...info.matchAll(/^db(\d+):keys=(\d+)/gm)].map(([, db, keys]) => [Number(db), Number(keys)]));
  } finally {
    client.disconnect();
  }
}
