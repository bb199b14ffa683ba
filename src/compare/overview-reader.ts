import type { RedisPort } from '../redis/redis-port';
import type { PageReader, ScannedKeys } from '../transfer/page-reader';
import { scanWithOverview, type Depth, type Overview } from './overview';

interface Seen {
  readonly keys: readonly Buffer[];
  readonly overview: Overview;
}

/** Names the keys of a page and looks them over in one round trip; what it saw can be asked for afterwards. */
export class OverviewReader implements PageReader {
  /** By each page's first key, as the very Buffer that was given. */
  private readonly seen = new WeakMap<Buffer, Seen>();

  constructor(
    private readonly port: RedisPort,
    private readonly depth: Depth,
    private readonly plain: PageReader,
  ) {}

  async scan(cursor: bigint, count: number, withTypes: boolean): Promise<ScannedKeys> {
    if (withTypes) return await this.plain.scan(cursor, count, true);
    const page = await scanWithOverview(this.port, cursor, count, this.depth);
    const [first] = page.keys;
    if (first !== undefined) this.seen.set(first, page);
    return page;
  }

  read: PageReader['read'] = (keys) => this.plain.read(keys);
  scanAndRead: PageReader['scanAndRead'] = (cursor, count) => this.plain.scanAndRead(cursor, count);

  /** What was seen of exactly these keys; undefined where keys were left out of their page since. */
  overviewOf(keys: readonly Buffer[]): Overview | undefined {
    const [first] = keys;
    const seen = first && this.seen.get(first);
    return seen?.keys.length === keys.length ? seen.overview : undefined;
  }
}
