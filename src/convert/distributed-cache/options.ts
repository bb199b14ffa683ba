import { z } from 'zod';

/** What a request may say about the conversion. */
export const cacheOptions = z
  .strictObject({
    converter: z.literal('distributed-cache'),
    to: z
      .enum(['strings', 'entries'])
      .describe('What is made: strings of cache entries, or cache entries of strings. The keys keep their names.'),
    instanceName: z
      .string()
      .max(512)
      .default('')
      .describe("Only keys that begin with it: the cache's InstanceName. Without it all keys."),
    sliding: z
      .enum(['refuse', 'expire'])
      .default('refuse')
      .describe(
        'To strings, which live no longer for being read: entries with a sliding expiration are reported and left out, or end when they would if nobody read them any more.',
      ),
  })
  .meta({ id: 'DistributedCacheConversion' });

export type CacheOptions = Readonly<z.output<typeof cacheOptions>>;
