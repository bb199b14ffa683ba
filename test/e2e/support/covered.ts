import { until, type AppProcess } from '../../tools/app-process';
import { rowsOf } from './storage';

/** What a reader has written of itself. */
interface ReaderRow {
  readonly holder?: string;
  readonly session?: string;
  readonly mark?: number;
  readonly covers?: string;
  readonly acknowledged?: { readonly holder: string; readonly mark: number } | null;
}

/**
 * Waits until the reader that stands by has written, after this moment, that it could go on without a gap, and the one that follows has
 * read that.
 */
export async function covered(id: string, app: AppProcess): Promise<void> {
  const stand = async () => {
    const rows = (await rowsOf(app)).filter(({ row }) => row.rowKey === id);
    const [live, standby] = ['live', 'live-standby'].map((partition) => {
      const json = rows.find(({ row }) => row.partitionKey === partition)?.row.json0;
      return JSON.parse(typeof json === 'string' ? json : '{}') as ReaderRow;
    });
    return { live: live ?? {}, standby: standby ?? {} };
  };
  const { standby: before } = await stand();
  // What it is writing at the moment may be of before.
  let mark = (before.mark ?? 0) + 2;
  let isTold = false;
  await until(async () => {
    const { live, standby } = await stand();
    const covers = standby.holder !== '' && standby.covers !== '' && standby.covers === live.session;
    if (!covers || (standby.mark ?? 0) < mark) return (isTold = false);
    // Only what is written from here on says so for certain.
    if (!isTold) mark = standby.mark ?? mark;
    isTold = true;
    const { acknowledged } = live;
    return acknowledged?.holder === standby.holder && (acknowledged?.mark ?? 0) >= mark;
  }, 120_000);
}
