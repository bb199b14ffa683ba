import type { Converter } from '../convert/converter';
import type { ConvertSource } from '../convert/file-keys';
import { keysByServer, type RedisPort } from '../redis/redis-port';
import { toldMicros } from '../redis/scripts';
import type { Claim } from '../transfer/range-pages';
import { nameOf } from './changed-names';

/** A server as converters read it, and what their scripts have told that it worked on them. */
export class TimedSource {
  readonly source: ConvertSource;
  private micros = 0;

  constructor(port: RedisPort) {
    const timed: RedisPort = {
      byServer: (keys) => keysByServer(port, keys),
      call: async (...command) => {
        const reply = await port.call(...command);
        this.micros += toldMicros(command, reply) ?? 0;
        return reply;
      },
      pipeline: (commands) => port.pipeline(commands),
    };
    this.source = { kind: 'server', port: timed };
  }

  get ms(): number {
    return this.micros / 1_000;
  }
}

/** Of the time that reading claims took, the part of each key, by the key as text: that of all which belongs to it. */
export function readTimes(claims: readonly Claim[], keys: readonly Buffer[], ms: number): ReadonlyMap<string, number> {
  const bytes = new Map<string, number>();
  let all = 0;
  for (const { converter, groups } of claims) {
    for (const group of groups) {
      const [made] = converter.namesMade(group);
      const place = made === undefined ? undefined : placeOf(converter, made);
      if (place === undefined) continue;
      const size = converter.bytesOf(group);
      bytes.set(place, (bytes.get(place) ?? 0) + size);
      all += size;
    }
  }
  const times = new Map<string, number>();
  if (all === 0) return times;
  for (const key of keys) {
    const [size] = claims.flatMap(({ converter }) => bytes.get(placeOf(converter, key) ?? '') ?? []);
    if (size !== undefined) times.set(nameOf(key), (ms * size) / all);
  }
  return times;
}

function placeOf(converter: Converter, key: Buffer): string | undefined {
  const [first] = converter.family(key) ?? [];
  return first === undefined ? undefined : nameOf(first);
}
