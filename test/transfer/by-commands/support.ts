import type { Redis } from 'ioredis';

import type { ServerName } from '../../../local/servers/server-names';
import type { RunningServer, StartOptions } from '../../../local/servers/start-server';
import { replyError, socketError, type RedisError } from '../../../src/redis/errors';
import type { Command, RedisPort, Reply } from '../../../src/redis/redis-port';
import { copyKeyByCommands, TemporaryNames, TEMPORARY_KEY_PREFIX } from '../../../src/transfer/by-commands';
import type { Abilities, CommandCopyOptions, CommandCopyOutcome } from '../../../src/transfer/by-commands';
import { startTestServer } from '../../tools/test-server';

/** A running server with a client for the test's own commands and a port for the code under test. */
export interface Side {
  readonly server: RunningServer;
  readonly client: Redis;
  readonly port: RedisPort;
  readonly abilities: Abilities;
}

export async function startSide(
  name: ServerName,
  args: readonly string[] = [],
  options: StartOptions = {},
): Promise<Side> {
  const unforgiving = { protocol: 2, maxRetriesPerRequest: 0, retryStrategy: () => null } as const;
  const { server, client } = await startTestServer(name, { args, ...options }, unforgiving);
  const [major = 0, minor = 0] = server.version.split('.').map(Number);
  return { server, client, port: portOver(client), abilities: { major, minor, valkey: server.flavour === 'valkey' } };
}

export async function stopSide(side: Side): Promise<void> {
  side.client.disconnect();
  await side.server.kill();
}

export function portOver(client: Redis): RedisPort {
  return {
    call: async (name, ...args) => {
      try {
        return (await client.callBuffer(name, ...args)) as Reply;
      } catch (error) {
        throw errorOf(error, name);
      }
    },
    pipeline: async (commands) => {
      const pipeline = client.pipeline();
      for (const [name, ...args] of commands) pipeline.callBuffer(name, ...args);
      const results = (await pipeline.exec()) ?? [];
      return results.map(([error, reply]) => toldBy(error ?? reply));
    },
  };
}

function errorOf(error: unknown, sent?: string): RedisError {
  return error instanceof Error && error.name === 'ReplyError'
    ? replyError('IT', error.message, sent)
    : socketError('IT', error, 'connectionLost');
}

function toldBy(reply: unknown): Reply | RedisError {
  if (reply instanceof Error) return errorOf(reply);
  return (Array.isArray(reply) ? reply.map(toldBy) : reply) as Reply;
}

/** A port that counts what passes, and may be told to do something before each pipeline. */
export function watched(port: RedisPort, before: (commands: readonly Command[]) => Promise<void> | void): RedisPort {
  return {
    call: async (...command) => {
      await before([command]);
      return port.call(...command);
    },
    pipeline: async (commands) => {
      await before(commands);
      return port.pipeline(commands);
    },
  };
}

/** As of one worker, which all copies of a test are made by unless they say otherwise. */
export const names = new TemporaryNames({ migration: 'test', range: 'copy-00000', generation: 1 }, []);

export type Choices = Partial<Omit<CommandCopyOptions, 'sourceKey' | 'targetKey'>> & { readonly targetKey?: Buffer };

export function copy(from: Side, to: Side, key: string | Buffer, choices: Choices = {}): Promise<CommandCopyOutcome> {
  return copyOver(from, to, from.port, to.port, key, choices);
}

/** {@link copy} with other ports than the sides' own. */
export function copyOver(
  from: Side,
  to: Side,
  source: RedisPort,
  target: RedisPort,
  key: string | Buffer,
  choices: Choices = {},
): Promise<CommandCopyOutcome> {
  const sourceKey = Buffer.from(key);
  return copyKeyByCommands(source, target, {
    sourceKey,
    targetKey: sourceKey,
    onConflict: 'replace',
    chunkBytes: 1024 * 1024,
    clockOffsetMs: 0,
    source: from.abilities,
    target: to.abilities,
    scripts: { source: true, target: true },
    names,
    ...choices,
  });
}

/** What is left of temporary keys. */
export async function leftovers(side: Side): Promise<string[]> {
  return side.client.keys(`${TEMPORARY_KEY_PREFIX}*`);
}

/** The key's type, expiry and value, read whole by other commands than the copier's and in a form that versions agree on. */
export async function look(side: Side, key: string | Buffer): Promise<unknown> {
  const { client } = side;
  const type = await client.type(key);
  return { type, endsAt: await endOf(side, key), value: await readers[type]?.(client, key) };
}

async function endOf({ client }: Side, key: string | Buffer): Promise<string | number> {
  const ttl = await client.pttl(key);
  return ttl === -1 ? 'never' : 'some time';
}

const text = (value: unknown): string => (value as Buffer).toString('base64');

const readers: Record<string, ((client: Redis, key: string | Buffer) => Promise<unknown>) | undefined> = {
  string: async (client, key) => text(await client.getBuffer(key)),
  list: async (client, key) => (await client.lrangeBuffer(key, 0, -1)).map(text),
  set: async (client, key) => (await client.smembersBuffer(key)).map(text).sort(),
  zset: async (client, key) => {
    const flat = (await client.callBuffer('ZRANGE', key, '0', '-1', 'WITHSCORES')) as Buffer[];
    return pairs(flat).map(([member, score]) => [text(member), Number(score.toString().replace('inf', 'Infinity'))]);
  },
  hash: async (client, key) => {
    const flat = (await client.callBuffer('HGETALL', key)) as Buffer[];
    return pairs(flat)
      .map(([field, value]) => `${text(field)} ${text(value)}`)
      .sort();
  },
  stream: lookAtStream,
};

function pairs<T>(flat: readonly T[]): [T, T][] {
  return Array.from({ length: flat.length / 2 }, (_, at) => [flat[at * 2] as T, flat[at * 2 + 1] as T]);
}

type Named = Record<string, unknown>;

const named = (flat: unknown): Named =>
  Object.fromEntries(pairs(flat as unknown[]).map(([name, value]) => [String(name), value]));

/** By XINFO STREAM … FULL, which gives delivery times as they are kept. Times and what only some versions have are apart. */
export async function lookAtStream(client: Redis, key: string | Buffer): Promise<unknown> {
  const entries = (await client.callBuffer('XRANGE', key, '-', '+')) as [Buffer, Buffer[]][];
  const full = await fullStream(client, key);
  return {
    entries: entries.map(([id, values]) => [id.toString(), ...values.map(text)]),
    length: full.length,
    lastId: full['last-generated-id'],
    groups: (full.groups as unknown[]).map(named).map((group) => ({
      name: group.name,
      lastDelivered: group['last-delivered-id'],
      pending: (group.pending as unknown[][]).map(([id, consumer, , count]) => [id, consumer, count]),
      consumers: (group.consumers as unknown[])
        .map(named)
        .map((consumer) => [consumer.name, (consumer.pending as unknown[][]).map(([id]) => id)])
        .sort(),
    })),
  };
}

export async function fullStream(client: Redis, key: string | Buffer): Promise<Named> {
  return named(await client.call('XINFO', 'STREAM', key, 'FULL', 'COUNT', '0'));
}

/** The facts of 7.0 and above. */
export async function streamFacts({ client }: Side, key: string): Promise<unknown> {
  const full = await fullStream(client, key);
  return {
    entriesAdded: full['entries-added'],
    maxDeleted: full['max-deleted-entry-id'],
    firstEntry: full['recorded-first-entry-id'],
    entriesRead: (full.groups as unknown[]).map(named).map((group) => [group.name, group['entries-read'], group.lag]),
  };
}

/** When each pending entry was delivered, in milliseconds since 1970. */
export async function deliveryTimes({ client }: Side, key: string): Promise<number[]> {
  const full = await fullStream(client, key);
  return (full.groups as unknown[])
    .map(named)
    .flatMap((group) => (group.pending as unknown[][]).map(([, , time]) => Number(time)));
}
