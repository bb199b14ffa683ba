import { keysByServer, type RedisPort, type Reply } from '../redis/redis-port';
import { toldMicros } from '../redis/scripts';
import type { Governor } from './governor';
import type { PageReader } from './page-reader';

/** A port whose calls a governor lets through, one by one. */
export function governedPort(port: RedisPort, governor: Governor): RedisPort {
  return {
    byServer: (keys) => keysByServer(port, keys),
    call: (...command) =>
      governor.through(
        () => port.call(...command),
        (reply) => ({ bytes: bytesOf(reply), micros: toldMicros(command, reply) }),
      ),
    pipeline: (commands) =>
      governor.through(
        () => port.pipeline(commands),
        (replies) => ({ bytes: bytesOf(replies), micros: undefined }),
      ),
  };
}

/** A port that tells how large each reply was, bytes. */
export function measuredPort(port: RedisPort, came: (bytes: number) => void): RedisPort {
  const told = <T extends Reply | (Reply | Error)[]>(reply: T): T => {
    came(bytesOf(reply));
    return reply;
  };
  return {
    call: async (...command) => told(await port.call(...command)),
    pipeline: async (commands) => told(await port.pipeline(commands)),
  };
}

/** As `governedPort`, for the reading of pages, which knows how long the server worked however it asks. */
export function governedReader(reader: PageReader, governor: Governor): PageReader {
  return {
    scan: (cursor, count, withTypes) =>
      governor.through(
        () => reader.scan(cursor, count, withTypes),
        ({ micros, asked }) => (asked === false ? undefined : { bytes: 0, micros }),
      ),
    read: (keys) =>
      governor.through(
        () => reader.read(keys),
        (page) => page,
      ),
    scanAndRead: (cursor, count) =>
      governor.through(
        () => reader.scanAndRead(cursor, count),
        ({ page }) => page,
      ),
  };
}

function bytesOf(reply: Reply | Error | readonly (Reply | Error)[]): number {
  if (Buffer.isBuffer(reply)) return reply.length;
  return Array.isArray(reply) ? reply.reduce<number>((sum, part: Reply | Error) => sum + bytesOf(part), 0) : 0;
}
