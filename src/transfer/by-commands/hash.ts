import { expiryByClock } from '../../redis/expiry';
import type { Command, RedisPort, Reply } from '../../redis/redis-port';
import { lostFieldExpiries } from '../lost-words';
import { hasFieldExpiry } from './abilities';
import { portions } from './chunk-size';
import { timeInMs } from './expiry';
import { asList, asNumber, readSource } from './replies';
import { copyScanned } from './scan';
import type { Body, BodyContext, Loss } from './types';

/** One field of a hash; `expireAt` by the source's clock in milliseconds since 1970, absent where it has none. */
interface HashField {
  readonly name: Buffer;
  readonly value: Buffer;
  readonly expireAt?: number;
}

const NO_FIELD = -2;

/**
 * Copies a hash by HSCAN and HMSET (HSET takes several fields only from 4.0; HMSET always did), and the expiries of its fields by
 * HPEXPIRETIME and HPEXPIREAT. Where the target cannot hold these they are counted as a loss `field-expiry`.
 */
export async function copyHash(context: BodyContext): Promise<Body> {
  const { temporary, options } = context;
  const keepsExpiry = hasFieldExpiry(options.target);
  const readsExpiry = hasFieldExpiry(options.source);
  const body = await copyScanned(context, {
    ...({ type: 'hash', scan: 'HSCAN', length: 'HLEN', width: 2 } as const),
    write: async (values) => {
      const all = fieldsOf(values);
      const fields = readsExpiry ? await withExpiries(context, all) : all;
      return {
        commands: [
          ...portions(fields).map((part): Command => [
            'HMSET',
            temporary.name,
            ...part.flatMap(({ name, value }) => [name, value]),
          ]),
          ...(keepsExpiry ? expiryCommands(temporary.name, fields, options.clockOffsetMs) : []),
        ],
        expiring: fields.filter(({ expireAt }) => expireAt !== undefined).length,
      };
    },
    ...(readsExpiry ? { lacks: (values) => lacksFields(context, values) } : {}),
    comparesExpiries: readsExpiry && keepsExpiry,
  });
  return { ...body, losses: keepsExpiry ? [] : lossOf(body.expiring) };
}

/** HPEXPIREAT for the fields that end, one command for each moment (and each thousand fields). */
export function expiryCommands(key: Buffer, fields: readonly HashField[], clockOffsetMs: number): Command[] {
  const byMoment = new Map<number, Buffer[]>();
  for (const { name, expireAt } of fields) {
    if (expireAt === undefined) continue;
    const names = byMoment.get(expireAt);
    if (names === undefined) byMoment.set(expireAt, [name]);
    else names.push(name);
  }
  return [...byMoment].flatMap(([moment, names]) =>
    portions(names).map((part): Command => [
      'HPEXPIREAT',
      key,
      String(expiryByClock(moment, clockOffsetMs)),
      'FIELDS',
      String(part.length),
      ...part,
    ]),
  );
}

function fieldsOf(values: readonly Buffer[]): HashField[] {
  const fields: HashField[] = [];
  for (let at = 0; at + 1 < values.length; at += 2) {
    const [name, value] = values.slice(at, at + 2) as [Buffer, Buffer];
    fields.push({ name, value });
  }
  return fields;
}

/** The fields with their expiries, without those that ended since they were read. */
async function withExpiries(context: BodyContext, fields: readonly HashField[]): Promise<HashField[]> {
  const names = fields.map(({ name }) => name);
  const times = await fieldTimes(context.source, context.sourceKey, names);
  return fields.flatMap((field, i): HashField[] => {
    const time = asNumber(times[i]);
    if (time === NO_FIELD) return [];
    return [time < 0 ? field : { ...field, expireAt: time }];
  });
}

/** What HPEXPIRETIME answers for each of these fields. @throws as `readSource` does */
export async function fieldTimes(port: RedisPort, key: Buffer, names: readonly Buffer[]): Promise<Reply[]> {
  const asked = portions(names).map((part): Command => ['HPEXPIRETIME', key, 'FIELDS', String(part.length), ...part]);
  return (await readSource(port, asked)).flatMap(asList);
}

/** Whether the copy lacks fields of the source whose time has not come on the target. */
async function lacksFields(context: BodyContext, values: readonly Buffer[]): Promise<boolean> {
  const { temporary, options } = context;
  const fields = await withExpiries(context, fieldsOf(values));
  const replies = await temporary.ask([
    ...fields.map(({ name }): Command => ['HEXISTS', temporary.name, name]),
    // Behind the others: what has gone by itself has gone by then.
    ['TIME'],
  ]);
  const now = timeInMs(replies.at(-1));
  return fields.some(
    ({ expireAt }, i) =>
      replies[i] === 0 && (expireAt === undefined || expiryByClock(expireAt, options.clockOffsetMs) > now),
  );
}

function lossOf(count: number): Loss[] {
  if (count === 0) return [];
  return [{ kind: 'field-expiry', count, message: lostFieldExpiries(count) }];
}
