import { isRedisError, type RedisError } from '../../redis/errors';
import type { Command, RedisPort, Reply } from '../../redis/redis-port';
import { KeyChanged } from './conditions';

/** The reply as a number: integers and integers in text. Throws a TypeError for anything else. */
export function asNumber(reply: Reply | Error | undefined): number {
  if (typeof reply === 'number') return reply;
  if (Buffer.isBuffer(reply)) return Number(reply.toString('latin1'));
  throw unexpected('a number', reply);
}

/** The reply as bytes. Throws a TypeError for anything else. */
export function asBytes(reply: Reply | Error | undefined): Buffer {
  if (Buffer.isBuffer(reply)) return reply;
  throw unexpected('bytes', reply);
}

/** The reply as a list. Throws a TypeError for anything else. */
export function asList(reply: Reply | Error | undefined): Reply[] {
  if (Array.isArray(reply)) return reply;
  throw unexpected('a list', reply);
}

/** A flat list name, value, name, value … (as XINFO gives) by name. Versions differ in fields and order, so never by position. */
export function asFields(reply: Reply | Error | undefined): Map<string, Reply> {
  const list = asList(reply);
  const fields = new Map<string, Reply>();
  for (let at = 0; at + 1 < list.length; at += 2)
    fields.set(asBytes(list[at]).toString('latin1'), list[at + 1] ?? null);
  return fields;
}

/** The replies, once none of them is an error; otherwise throws the first error as it is. */
export function throwErrors(replies: readonly (Reply | Error)[]): Reply[] {
  return replies.map((reply) => {
    if (reply instanceof Error) throw reply;
    return reply;
  });
}

/**
 * Reads from the source in one write. A refusal that only says that the key is gone or of another type by now is thrown as
 * {@link KeyChanged}, any other as it is.
 */
export async function readSource(source: RedisPort, commands: readonly Command[]): Promise<Reply[]> {
  const replies = await source.pipeline(commands);
  for (const reply of replies) {
    if (isKeyGone(reply)) throw new KeyChanged(reply.message);
  }
  return throwErrors(replies);
}

/** Whether an error reply only says that the key, or its group, is gone or of another type by now. */
export function isKeyGone(reply: unknown): reply is RedisError {
  return isRedisError(reply, 'wrongType', 'noSuchGroup', 'noSuchKey');
}

function unexpected(wanted: string, reply: unknown): TypeError {
  if (reply instanceof Error) return new TypeError(`expected ${wanted}, got the error: ${reply.message}`);
  return new TypeError(`expected ${wanted}, got ${reply === null ? 'nothing' : typeof reply}`);
}
