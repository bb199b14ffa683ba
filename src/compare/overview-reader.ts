import type { PageReader, ScannedKeys } from '../transfer/page-reader';
import type { Origin } from '../transfer/side';
import { scanWithOverview, type Depth, type Overview } from './overview';

/** The same origin, whose pages of names come with an overview of their keys, in one round trip, where scripts can do that. */
export function withOverviews(origin: Origin, depth: Depth): Origin<Overview> {
  if (!origin.scripts) return origin;
  const { reader } = origin;
  const scan = async (cursor: bigint, count: number, withTypes: boolean): Promise<ScannedKeys<Overview>> => {
    if (withTypes) return await reader.scan(cursor, count, true);
    const { overview, ...page } = await scanWithOverview(origin.port, cursor, count, depth);
    return { ...page, seen: overview };
  };
  const looking: PageReader<Overview> = {
    scan,
    read: (keys) => reader.read(keys),
    scanAndRead: (cursor, count) => reader.scanAndRead(cursor, count),
  };
  return { ...origin, reader: looking };
}
