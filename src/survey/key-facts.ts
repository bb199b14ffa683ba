import type { RedisPort, Command, Reply } from '../redis/redis-port';
import { runScript, scripts } from '../redis/scripts';

/** What a key is, without its value. */
export interface KeyFacts {
  readonly type: string;
  /** As OBJECT ENCODING tells it; "unknown" where it does not. */
  readonly encoding: string;
  /** Seconds; undefined for never. */
  readonly expiresIn: number | undefined;
  /** What MEMORY USAGE estimates; where it may not be asked the payload's length, and 0 where there is none. */
  readonly bytes: number;
  /** Hash fields with expiries of their own; looked for only where the target cannot hold them. */
  readonly fieldExpiries: boolean;
}

export interface FactsOptions {
  readonly scripts: boolean;
  readonly memoryUsage: boolean;
  readonly lookForFieldExpiries: boolean;
  readonly bigKeyBytes: number;
}

/** Asks what keys are; undefined for those that are gone. Throws the server's error, or the connection's. */
export async function readKeyFacts(
  port: RedisPort,
  keys: readonly Buffer[],
  options: FactsOptions,
): Promise<(KeyFacts | undefined)[]> {
  if (keys.length === 0) return [];
  return options.scripts ? await byScript(port, keys, options) : await byPipeline(port, keys, options);
}

async function byScript(port: RedisPort, keys: readonly Buffer[], options: FactsOptions) {
  const args = [options.memoryUsage ? '1' : '0', options.lookForFieldExpiries ? '1' : '0', String(options.bigKeyBytes)];
  const reply = await runScript(port, scripts.survey, keys, args);
  if (!Array.isArray(reply)) throw new Error('The server answered in an unexpected form.');
  return keys.map((_, i) => {
    const [type, encoding, ttl, bytes, fields] = reply.slice(5 * i + 1, 5 * i + 6);
    return makeFacts(text(type), text(encoding), Number(ttl), Number(bytes), fields === 1);
  });
}

async function byPipeline(port: RedisPort, keys: readonly Buffer[], { memoryUsage }: FactsOptions) {
  const commands = keys.flatMap((key): Command[] => [
    ['TYPE', key],
    ['OBJECT', 'ENCODING', key],
    ['PTTL', key],
    ...(memoryUsage ? [['MEMORY', 'USAGE', key] as const] : []),
  ]);
  const replies = await port.pipeline(commands);
  const each = memoryUsage ? 4 : 3;
  return keys.map((_, i) => {
    const [type, encoding, ttl, bytes] = replies.slice(each * i, each * i + each);
    if (type instanceof Error) throw type;
    const ms = ttl instanceof Error || ttl === undefined ? -1 : Number(ttl);
    const size = typeof bytes === 'number' ? bytes : -1;
    const isListpackEx = Buffer.isBuffer(encoding) && encoding.toString('latin1') === 'listpackex';
    return makeFacts(text(type), encoding instanceof Error ? '' : text(encoding), ms, size, isListpackEx);
  });
}

function makeFacts(
  type: string,
  encoding: string,
  ttl: number,
  bytes: number,
  fieldExpiries: boolean,
): KeyFacts | undefined {
  if (type === 'none' || ttl === -2 || ttl === 0) return undefined;
  return {
    type,
    encoding: encoding === '' ? 'unknown' : encoding,
    expiresIn: ttl < 0 ? undefined : ttl / 1_000,
    bytes,
    fieldExpiries,
  };
}

function text(reply: Reply | undefined): string {
  return Buffer.isBuffer(reply) ? reply.toString('latin1') : String(reply ?? '');
}
