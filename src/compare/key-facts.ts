import { inPieces } from '../basics/in-pieces';
import { RedisError } from '../redis/errors';
import { keysByServer, type Command, type RedisPort, type Reply } from '../redis/redis-port';
import { PackedReader } from '../redis/message-pack';
import { runOnNode, runScript, scripts } from '../redis/scripts';
import { clockMs } from '../transfer/page-reader';
import { asBytes, asList, asNumber, throwErrors } from '../transfer/by-commands/replies';
import type { Side } from '../transfer/side';

/** What can be told of a key without its value. */
export interface KeyFacts {
  readonly type: string;
  /** Bytes of a string, parts of anything else; undefined for types of modules. */
  readonly length: number | undefined;
  /** Absolute expiry in ms of the server's clock; 0: none. */
  readonly expiry: number;
}

const lengthOf: ReadonlyMap<string, string> = new Map(
  Object.entries({
    string: 'STRLEN',
    list: 'LLEN',
    set: 'SCARD',
    zset: 'ZCARD',
    hash: 'HLEN',
    stream: 'XLEN',
  }),
);

/** Keys that go into one pipeline, and time that may pass in it before expiries are asked for anew, ms. */
const KEYS_AT_ONCE = 200;
const SPREAD_MS = 5;
const TRIES = 4;

/** A side as it is asked for facts. */
export type AskedSide = Pick<Side, 'port' | 'scripts' | 'nodeScripts'>;

/** Facts of keys, by a script or by ordinary commands; undefined where there is no such key. Throws the server's error, or the connection's. */
export async function keyFacts(side: AskedSide, keys: readonly Buffer[]): Promise<(KeyFacts | undefined)[]> {
  const facts: (KeyFacts | undefined)[] = [];
  for (const some of inPieces(keys, KEYS_AT_ONCE)) {
    facts.push(...(side.scripts ? await factsByScript(side.port, some) : await factsByServer(side, some)));
  }
  return facts;
}

async function factsByScript(port: RedisPort, keys: readonly Buffer[]): Promise<(KeyFacts | undefined)[]> {
  const facts = await told(keys, () => runScript(port, scripts.keyFacts, keys, []));
  if (facts instanceof RedisError) throw facts;
  return facts;
}

/** Undefined where the node does not have all of them for itself, since slots are on their way, or does not allow it. */
async function factsByNode(
  port: RedisPort,
  keys: readonly Buffer[],
): Promise<readonly (KeyFacts | undefined)[] | undefined> {
  const facts = await told(keys, () => runOnNode(port, scripts.keyFacts, keys[0] ?? '', keys));
  return facts instanceof RedisError ? undefined : facts;
}

/** What key-facts.lua tells, asked for again where time passed in it; or why it does not. */
async function told(
  keys: readonly Buffer[],
  ask: () => Promise<Reply | RedisError>,
): Promise<(KeyFacts | undefined)[] | RedisError> {
  for (let tries = 1; ; tries++) {
    const reply = await ask();
    if (reply instanceof RedisError) return reply;
    const [, before, after, packed] = asList(reply);
    const now = asNumber(before);
    if (asNumber(after) - now > SPREAD_MS && tries < TRIES) continue;
    const facts = new PackedReader(asBytes(packed));
    facts.array();
    return keys.map(() => {
      const [type, expiry, length] = [facts.bytes().toString('latin1'), facts.number(), facts.number()];
      if (expiry === 0) return undefined;
      return { type, length: length === 0 ? undefined : length - 1, expiry: expiry === 1 ? 0 : now + expiry - 2 };
    });
  }
}

/** Expiries are told against the clock of the server that has the key. */
async function factsByServer({ port, nodeScripts }: AskedSide, keys: readonly Buffer[]) {
  const facts = new Array<KeyFacts | undefined>(keys.length).fill(undefined);
  await Promise.all(
    keysByServer(port, keys).map(async (places) => {
      const names = places.map((place) => keys[place] ?? Buffer.alloc(0));
      const byNode = nodeScripts === true ? await factsByNode(port, names) : undefined;
      const found = byNode ?? (await factsOf(port, names));
      places.forEach((place, i) => (facts[place] = found[i]));
    }),
  );
  return facts;
}

async function factsOf(port: RedisPort, keys: readonly Buffer[]): Promise<(KeyFacts | undefined)[]> {
  for (let tries = 1; ; tries++) {
    const replies = throwErrors(
      await port.pipeline([
        ['TIME'],
        ...keys.map((key): Command => ['PTTL', key]),
        ['TIME'],
        ...keys.map((key): Command => ['TYPE', key]),
      ]),
    );
    const [before, after] = [clockMs(replies[0]), clockMs(replies[keys.length + 1])];
    if (after - before > SPREAD_MS && tries < TRIES) continue;
    const types = keys.map((_, i) => asBytes(replies[keys.length + 2 + i]).toString('latin1'));
    const lengths = await lengthsOf(port, keys, types);
    return keys.map((_, i) => {
      const ttl = asNumber(replies[i + 1]);
      const type = types[i] ?? 'none';
      if (type === 'none' || ttl === -2 || ttl === 0) return undefined;
      return { type, length: lengths[i], expiry: ttl === -1 ? 0 : before + ttl };
    });
  }
}

async function lengthsOf(
  port: RedisPort,
  keys: readonly Buffer[],
  types: readonly string[],
): Promise<(number | undefined)[]> {
  const places = keys.map((_, i) => i).filter((i) => lengthOf.has(types[i] ?? ''));
  const commands = places.map((i): Command => [lengthOf.get(types[i] ?? '') ?? '', keys[i] ?? '']);
  const replies = await port.pipeline(commands);
  const lengths = new Array<number | undefined>(keys.length);
  places.forEach((place, i) => {
    const reply = replies[i];
    // Of another type meanwhile: whoever looks again sees it.
    if (reply instanceof Error && reply.asks !== 'key') throw reply;
    if (typeof reply === 'number') lengths[place] = reply;
  });
  return lengths;
}
