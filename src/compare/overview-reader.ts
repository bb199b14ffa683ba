import type { Selection } from '../migration/selection';
import type { PageReader, ScannedKeys } from '../transfer/page-reader';
import type { AskedSide } from './key-facts';
import type { Origin } from '../transfer/side';
import { scanWithOverview, type Depth, type Overview } from './overview';

/**
 * The same origin, whose pages of names come with an overview of their keys, in one round trip, where scripts can do that. Keys
 * that are not selected are not looked at: the user may have no right to.
 * @param namesAlone whether the next page's keys are better not looked at yet
 */
export function withOverviews(
  origin: Origin,
  target: AskedSide,
  depth: Depth,
  { all }: Pick<Selection, 'all'>,
  namesAlone: () => boolean = () => false,
): Origin<Overview> {
  // Of a cluster they are made of the keys that one node has of each side: not of a page.
  if (!origin.scripts || !target.scripts || !all) return origin;
  const { reader } = origin;
  const scan = async (cursor: bigint, count: number, withTypes: boolean): Promise<ScannedKeys<Overview>> => {
    if (withTypes || namesAlone()) return await reader.scan(cursor, count, withTypes);
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
