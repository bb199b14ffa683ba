import type { Redis } from 'ioredis';
import { fillServer } from '../../demo/generate';
import { fillOdd } from '../tools/fill-odd';
import { Dice } from './dice';
import { keyId, partsOf, type KeyId } from './journal';
import { SLOW_KEY_BYTES, type Scenario } from './scenario';
import { Scope } from './scope';
import type { ServerSide } from './server-side';
import type { Snapshot } from './snapshot';

/** A database that no map of databases names. */
const elsewhere = 9;
const hour = 3_600_000;

/** The large keys that are rewritten whole, by type. All their parts have the same version. */
export const rewrittenKeys = ['hash', 'zset', 'list'] as const;
export const rewrittenParts = 3_000;

/** Rewrites a large key in one step, so that nobody ever sees two versions in it at one time. */
export const rewriteScript = `
local key, kind, version = KEYS[1], ARGV[1], ARGV[2]
if kind == 'list' then redis.call('DEL', key) end
for i = 1, ${rewrittenParts} do
  if kind == 'hash' then redis.call('HSET', key, 'field' .. i, version .. ':0123456789012345678901234567890123456789')
  elseif kind == 'zset' then redis.call('ZADD', key, version, 'member 0123456789012345678901234567890123456789 ' .. i)
  else redis.call('RPUSH', key, version .. ':0123456789012345678901234567890123456789') end
end`;

/** Fills the source. `old` data is saved when a part of the keys is there. */
export async function fillSource(scenario: Scenario, source: ServerSide): Promise<void> {
  const { keys, databases, seed } = scenario;
  const dice = new Dice(seed + 1);
  const early = scenario.source.persistence === 'old' ? Math.floor((keys * dice.between(5, 60)) / 100) : 0;
  const filling = { url: source.url, seed: seed % 1_000, databases };
  if (early > 0) {
    await fillServer({ ...filling, keys: early });
    await source.save();
  }
  await fillServer({ ...filling, keys: keys - early, firstKey: early });
  if (scenario.odd) await fillOdd({ url: source.url }, { databases, fieldExpiries: false });
  const [first = 0] = databases;
  const client = source.client(first);
  await fillBig(client, scenario, dice);
  if (scenario.slowKey) await client.set('big:slow', 'slow '.repeat(SLOW_KEY_BYTES / 5));
  const pipeline = client.pipeline();
  for (let n = 0; n < scenario.fleeting; n++) {
    pipeline.set(`user:fleeting:${n}`, 'x'.repeat(n), 'PX', dice.between(300, 10_000));
  }
  await pipeline.exec();
  if (scenario.request.databases !== undefined) await fillOwn(source.client(elsewhere), 50, 'elsewhere', dice);
  if (scenario.source.persistence === 'start') await source.save();
  await source.replicated();
}

async function fillBig(client: Redis, { bigKeys, writers }: Scenario, dice: Dice): Promise<void> {
  const kinds = ['hash', 'list', 'set', 'zset', 'stream', 'string'] as const;
  for (let n = 0; n < bigKeys; n++) {
    const kind = kinds[(n + dice.next()) % kinds.length] ?? 'hash';
    const key = `big:${kind}:${n}`;
    const parts = Array.from({ length: dice.between(2_000, 6_000) }, (_, at) => `part ${at} ${'x'.repeat(at % 50)}`);
    if (kind === 'hash')
      await client.hset(
        key,
        parts.flatMap((part, at) => [`field${at}`, part]),
      );
    else if (kind === 'list') await client.rpush(key, ...parts);
    else if (kind === 'set') await client.sadd(key, ...parts);
    else if (kind === 'zset') await client.zadd(key, ...parts.flatMap((part, at) => [String(at / 7), part]));
    else if (kind === 'string') await client.set(key, parts.join('\n'));
    else {
      const pipeline = client.pipeline();
      for (const [at, part] of parts.slice(0, 2_500).entries()) pipeline.xadd(key, `${at + 1}-1`, 'part', part);
      pipeline.xgroup('CREATE', key, 'group', '0');
      pipeline.xreadgroup('GROUP', 'group', 'reader', 'COUNT', 50, 'STREAMS', key, '>');
      await pipeline.exec();
    }
    if (dice.chance(40)) await client.pexpire(key, dice.between(2 * hour, 5 * hour));
  }
  if (!writers.rewriting) return;
  for (const kind of rewrittenKeys) await client.eval(rewriteScript, 1, rewrittenName(kind), kind, '0');
}

export function rewrittenName(kind: string): string {
  return `big:rewritten:${kind}`;
}

/** Gives a target that is not a copy the keys that it has before. */
export async function fillTarget(scenario: Scenario, target: ServerSide, source: Snapshot): Promise<void> {
  const dice = new Dice(scenario.seed + 2);
  const { databases } = scenario.request;
  if (scenario.targetBefore === 'empty') return;
  // Not so many that a sync which deletes would be refused.
  const own = Math.max(3, Math.floor((scenario.keys * dice.between(1, 8)) / 100));
  const isComparison = scenario.request.mode === 'compare';
  const inScope = databases === undefined ? 0 : (Object.values(databases)[0] ?? 0);
  if (!isComparison || dice.chance(30))
    await fillOwn(target.client(inScope), own, dice.pick(['user:own', 'own']), dice);
  if (databases !== undefined) await fillOwn(target.client(elsewhere), own, 'elsewhere', dice);
  if (scenario.targetBefore === 'overlap') await overlap(scenario, target, source);
}

async function fillOwn(client: Redis, count: number, name: string, dice: Dice): Promise<void> {
  const pipeline = client.pipeline();
  for (let n = 0; n < count; n++) {
    const key = `${name}:${n}`;
    if (n % 3 === 0) pipeline.hset(key, 'field', n, 'other', 'value');
    else if (n % 3 === 1) pipeline.set(key, `value ${n}`);
    else pipeline.rpush(key, 'a', String(n));
    if (dice.chance(30)) pipeline.pexpire(key, dice.between(2 * hour, 5 * hour));
  }
  await pipeline.exec();
}

/** Gives the target other values under names of the source. */
async function overlap(scenario: Scenario, target: ServerSide, source: Snapshot): Promise<void> {
  const scope = new Scope(scenario.request);
  const places = [...source.keys()].filter((_, at) => at % 4 === 0).map((id) => scope.placeOf(id) ?? id);
  await inDatabases(target, places, (pipeline, key, at) => {
    if (at % 5 === 0) pipeline.rpush(key, 'theirs', String(at));
    else pipeline.set(key, `theirs ${at}`);
    if (at % 4 === 0) pipeline.pexpire(key, 3 * hour);
  });
}

/** Makes keys of a copy differ from what the source has. */
export async function plantDifferences(scenario: Scenario, target: ServerSide, source: Snapshot): Promise<void> {
  const scope = new Scope(scenario.request);
  const dice = new Dice(scenario.seed + 3);
  const ids = [...source.keys()].filter((id) => scope.placeOf(id) !== undefined && !id.includes(':big:rewritten:'));
  const chosen = new Set<KeyId>();
  for (let n = 0; n < scenario.planted; n++) {
    const id = ids[dice.next() % ids.length];
    if (id !== undefined) chosen.add(scope.placeOf(id) ?? id);
  }
  await inDatabases(target, [...chosen], (pipeline, key, at) => {
    if (at % 3 === 0) pipeline.del(key);
    else if (at % 3 === 1) pipeline.pexpire(key, 9 * hour);
    else pipeline.del(key).set(key, `planted ${at}`);
  });
}

/** One pipeline for each database's keys. */
async function inDatabases(
  side: ServerSide,
  ids: readonly KeyId[],
  add: (pipeline: ReturnType<Redis['pipeline']>, key: Buffer, at: number) => void,
): Promise<void> {
  const pipelines = new Map<number, ReturnType<Redis['pipeline']>>();
  for (const [at, id] of ids.entries()) {
    const { database, name } = partsOf(id);
    const pipeline = pipelines.get(database) ?? side.client(database).pipeline();
    pipelines.set(database, pipeline);
    add(pipeline, Buffer.from(name, 'latin1'), at);
  }
  for (const pipeline of pipelines.values()) await pipeline.exec();
}

/** The rewritten keys of the source that are mixtures of several versions on the target. */
export async function tornKeys(scenario: Scenario, target: ServerSide): Promise<KeyId[]> {
  if (!scenario.writers.rewriting) return [];
  const scope = new Scope(scenario.request);
  const torn: KeyId[] = [];
  for (const kind of rewrittenKeys) {
    const id = keyId(scenario.databases[0] ?? 0, rewrittenName(kind));
    const place = scope.placeOf(id);
    if (place === undefined) continue;
    const client = target.client(partsOf(place).database);
    const key = rewrittenName(kind);
    let parts: string[];
    if ((await client.type(key)) !== kind) continue;
    if (kind === 'hash') parts = (await client.hvals(key)).map((value) => value.split(':')[0] ?? '');
    else if (kind === 'list') parts = (await client.lrange(key, 0, -1)).map((value) => value.split(':')[0] ?? '');
    else parts = (await client.zrange(key, '0', '-1', 'WITHSCORES')).filter((_, at) => at % 2 === 1);
    if (new Set(parts).size > 1 || parts.length !== rewrittenParts) torn.push(id);
  }
  return torn;
}
