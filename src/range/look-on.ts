import type { FileLook } from '../files/look-through';
import { ExtentWalk } from '../keyspace/extent-walk';
import type { LayoutReader } from '../payload/file-layout';
import type { RangeJob } from './range-job';

/** How a look through a file stands. */
export interface LookedOn {
  readonly look: Pick<FileLook, 'goOn'>;
  readonly reader: Pick<LayoutReader, 'goesOnAt'>;
  /** What the file takes in its store. */
  readonly bytes: number;
  /** Called after each piece. Throws when it must end. */
  readonly goOn?: () => void;
}

/**
 * Brings a look through a file to its end, or as far as the message's time is enough for. The row tells how much of the file is behind it; the
 * caller has attached to the job what was found up to there.
 * @throws StoppedError, FileError
 */
export async function lookOn(
  job: Pick<RangeJob, 'add' | 'check' | 'progressed' | 'row'>,
  { look, reader, bytes, goOn = () => undefined }: LookedOn,
): Promise<void> {
  const walk = new ExtentWalk(job.row, bytes);
  let behind = job.row.share * bytes;
  let keptTo = reader.goesOnAt;
  for await (const read of look.goOn()) {
    job.check();
    goOn();
    const { goesOnAt } = reader;
    // Only what the next worker need not do again counts as done: inside a large value nothing does, nor what is unpacked once more.
    if (goesOnAt > keptTo && read > behind && read < bytes) {
      behind = read;
      await job.add({}, [], walk.cursorAt(read));
    } else job.progressed(goesOnAt > keptTo);
    keptTo = Math.max(keptTo, goesOnAt);
  }
}
