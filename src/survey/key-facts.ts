import { RedisError } from '../redis/errors';
import { keysByServer, type RedisPort, type Command, type Reply } from '../redis/redis-port';
import { runOnNode, runScript, scripts } from '../redis/scripts';
import type { Side } from '../transfer/side';

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
  readonly memoryUsage: boolean;
  readonly lookForFieldExpiries: boolean;
  readonly bigKeyBytes: number;
}

/** Asks what keys are; undefined for those that are gone. Throws the server's error, or the connection's. */
export async function readKeyFacts(
  { port, scripts: together, nodeScripts }: Pick<Side, 'port' | 'scripts' | 'nodeScripts'>,
  keys: readonly Buffer[],
  options: FactsOptions,
): Promise<(KeyFacts | undefined)[]> {
  if (keys.length === 0) return [];
  if (together) return factsIn(await runScript(port, scripts.survey, keys, argsOf(options)), keys);
  if (nodeScripts !== true) return await byPipeline(port, keys, options);
  const facts = new Array<KeyFacts | undefined>(keys.length).fill(undefined);
  for (const places of keysByServer(port, keys)) {
    const names = places.map((place) => keys[place] ?? Buffer.alloc(0));
    const reply = await runOnNode(port, scripts.survey, names[0] ?? '', [...argsOf(options), ...names]);
    // The node does not have all of them for itself, since slots are on their way, or does not allow it.
    const found = reply instanceof RedisError ? await byPipeline(port, names, options) : factsIn(reply, names);
    places.forEach((place, i) => (facts[place] = found[i]));
  }
  return facts;
}

function argsOf({ memoryUsage, lookForFieldExpiries, bigKeyBytes }: FactsOptions): readonly string[] {
  return [memoryUsage ? '1' : '0', lookForFieldExpiries ? '1' : '0', String(bigKeyBytes)];
}

function factsIn(reply: Reply, keys: readonly Buffer[]): (KeyFacts | undefined)[] {
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
