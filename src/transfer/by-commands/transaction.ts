import type { RedisError } from '../../redis/errors';
import type { Command, Reply } from '../../redis/redis-port';

/** The commands as one transaction, to be sent in one pipeline: the server carries out all of them or none. */
export function transaction(commands: readonly Command[]): Command[] {
  return [['MULTI'], ...commands, ['EXEC']];
}

/** How many commands `transaction` puts around those it is given. */
export const AROUND = 2;

/**
 * The replies to a transaction's commands, from what the pipeline gave for all of them; a command that failed when it was
 * carried out has a RedisError in its place.
 * @throws the server's reason why nothing was carried out, as it would have given it without a transaction (OOM, NOPERM …)
 */
export function transactionReplies(replies: readonly (Reply | RedisError)[]): (Reply | RedisError)[] {
  const exec = replies.at(-1);
  if (Array.isArray(exec)) return exec;
  // MULTI's own refusal first, then that of the command that spoilt it.
  const refusal = replies.find((reply) => reply instanceof Error);
  if (refusal instanceof Error) throw refusal;
  throw new TypeError('The server gave no replies to a transaction.');
}
