import type { PageReader } from '../transfer/page-reader';
import type { KeyedPort } from '../redis/redis-port';
import type { Telemetry } from '../telemetry/telemetry';

const MICROS = 1_000_000;

/** The reader itself when nothing is recorded; otherwise one that tells how long each of its calls took. */
export function timedReader(reader: PageReader, migration: string, telemetry: Telemetry): PageReader {
  if (!telemetry.on) return reader;
  const timed = async <T>(call: () => Promise<T>, microsOf: (result: T) => number): Promise<T> => {
    const began = performance.now();
    const result = await call();
    telemetry.call('source', migration, (performance.now() - began) / 1_000, microsOf(result) / MICROS);
    return result;
  };
  return {
    scan: (cursor, count, withTypes) =>
      timed(
        () => reader.scan(cursor, count, withTypes),
        ({ micros }) => micros,
      ),
    read: (keys) =>
      timed(
        () => reader.read(keys),
        ({ micros }) => micros,
      ),
    scanAndRead: (cursor, count) =>
      timed(
        () => reader.scanAndRead(cursor, count),
        ({ page }) => page.micros,
      ),
  };
}

/** As `timedReader`, for the connection that pages are written through. */
export function timedWrites(port: KeyedPort, migration: string, telemetry: Telemetry): KeyedPort {
  if (!telemetry.on) return port;
  return {
    sendKeyed: async (keys, encode) => {
      if (keys.length === 0) return await port.sendKeyed(keys, encode);
      const began = performance.now();
      const refusals = await port.sendKeyed(keys, encode);
      telemetry.call('target', migration, (performance.now() - began) / 1_000);
      return refusals;
    },
  };
}
