import { NO_SERVERS, type ConverterKind } from '../converter-kind';
import { scriptRefusal } from '../script-rights';
import { aboutDistributedCache } from './about';
import { CacheConverter } from './cache-converter';
import { countEntries, entryCounter } from './count';
import { cacheOptions, type CacheOptions } from './options';
import { scripts } from './scripts';

/** A name that nobody has. */
const PROBE = Buffer.from('keyferry:probe_1');

export const distributedCache: ConverterKind<CacheOptions> & { readonly options: typeof cacheOptions } = {
  name: aboutDistributedCache.name,
  options: cacheOptions,
  rights: {
    source: ['SCAN', 'TIME', 'TYPE', 'PTTL', 'HMGET', 'HGET', 'HLEN', 'HSTRLEN', 'STRLEN', 'GET'],
    target: [
      ...(['TIME', 'TYPE', 'EXISTS', 'PTTL', 'HMGET', 'HGET', 'HLEN', 'HSTRLEN', 'STRLEN', 'GET'] as const),
      ...(['SET', 'SETRANGE', 'HSET', 'PEXPIREAT', 'DEL'] as const),
    ],
  },
  scriptRefusal: (port, side, named) =>
    scriptRefusal(port, side === 'source' ? scripts.tryReads : scripts.tryWrites, [named(PROBE)]),
  async prepare(options, context) {
    const converter = new CacheConverter(options, NO_SERVERS);
    return await countEntries({ claims: (key) => converter.claims(key) }, options.to, context);
  },
  counter: (options, wants, state) => {
    const converter = new CacheConverter(options, NO_SERVERS);
    return entryCounter({ claims: (key) => converter.claims(key) }, options.to, wants, state);
  },
  make: (options, surroundings) => new CacheConverter(options, surroundings),
  warnings: () => [],
};
