import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import type { RunningServer } from '../local/servers/start-server';

const MIB = 1_048_576;
/** Of the two large strings. */
const STRING_MIB = 128;
/** Elements of the key of each type that has the largest ones, and of the one that has those of 1 MiB. */
const LARGEST = 4;
const LARGE = 40;
const MEDIUM = 2_000;

type Write = (client: Redis, key: string, name: string, value: Buffer) => Promise<unknown>;

const writers: Readonly<Record<string, Write>> = {
  list: (client, key, _, value) => client.rpush(key, value),
  hash: (client, key, name, value) => client.hset(key, name, value),
  set: (client, key, _, value) => client.sadd(key, value),
  zset: (client, key, name, value) => client.zadd(key, Number(name), value),
  stream: (client, key, name, value) => client.xadd(key, `${Number(name) + 1}-0`, 'field', value),
};

/**
 * Writes big keys of all types, and many of medium size, to an empty server; nothing in them can be compressed.
 * @param mib size of the largest elements
 */
export async function fillMix(server: RunningServer, mib: number): Promise<void> {
  await withClient(server, async (client) => {
    for (const key of ['string:1', 'string:2']) {
      for (let at = 0; at < STRING_MIB; at += 16) await client.append(key, randomBytes(16 * MIB));
    }
    for (const [type, write] of Object.entries(writers)) {
      for (let i = 0; i < LARGEST; i++) await write(client, `${type}:largest`, String(i), randomBytes(mib * MIB));
      for (let i = 0; i < LARGE; i++) await write(client, `${type}:large`, String(i), randomBytes(MIB));
    }
    // Sizes from 20 KB to 6 MB, the larger the fewer.
    for (let i = 0; i < MEDIUM; i++) {
      const value = randomBytes(Math.round(20_000 * Math.min(600, MEDIUM / (i + 1)) ** 0.9));
      const write = Object.values(writers)[i % 6];
      if (write === undefined) await client.set(`medium:${i}`, value);
      else await write(client, `medium:${i}`, '1', value);
    }
  });
}

/** Makes every big key of a copy, and some of the medium ones, differ from the source. */
export async function alterMix(target: RunningServer): Promise<void> {
  await withClient(target, async (client) => {
    for (const key of ['string:1', 'string:2']) await client.setrange(key, 5, 'altered');
    for (const [type, write] of Object.entries(writers)) {
      for (const kind of ['largest', 'large']) await write(client, `${type}:${kind}`, '999', Buffer.from('altered'));
    }
    for (let i = 0; i < MEDIUM; i += 7) await client.del(`medium:${i}`);
  });
}

/** The server, as a user sees it who may call no scripts. */
export async function withoutScripts(server: RunningServer): Promise<RunningServer> {
  await withClient(server, (client) =>
    client.call('ACL', 'SETUSER', 'noscripts', 'on', 'nopass', '~*', '+@all', '-@scripting'),
  );
  return { ...server, url: server.url.replace('redis://', 'redis://noscripts:none@') };
}

async function withClient(server: RunningServer, work: (client: Redis) => Promise<unknown>): Promise<void> {
  const client = new Redis(server.url);
  try {
    await work(client);
  } finally {
    client.disconnect();
  }
}
