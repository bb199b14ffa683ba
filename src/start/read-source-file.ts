import type { App } from '../app/app';
import { FileError, type FileTrouble } from '../files/file-error';
import type { FileStore } from '../files/file-store';
import { FileLook } from '../files/look-through';
import { firstCourse } from '../migration/course';
import { isUnread } from '../migration/file-facts';
import { PlanRefusedError } from '../migration/plan-refusals';
import type { RefusalCode } from '../migration/refusal-codes';
import { isFinal } from '../migration/rows';
import { fileOf, nameOfSide } from '../migration/side-spec';
import { HopelessError } from '../migration/stop';
import { storedBytes } from '../payload/source-file';
import { lookOn } from '../range/look-on';
import type { RangeJob } from '../range/range-job';
import { attemptOn } from '../range/range-sides';
import { FileFindings, type ReadFile } from './file-findings';
import { preparePlan } from './prepare-plan';
import { claimTarget } from './target-claims';

type ReadApp = Pick<App, 'connections' | 'files' | 'ledger' | 'settings' | 'watch'>;

/**
 * Reads the file that is the source, from where the last worker was, and plans then what becomes of what is in it. Nothing is written to
 * the target before that plan stands in the migration's row.
 * @throws HopelessError where the file is none that can be read, or something speaks against the migration
 */
export async function readSourceFile(job: RangeJob, app: ReadApp): Promise<void> {
  try {
    const read = await readOn(job, app);
    await planRest(job, read, app);
  } catch (error) {
    if (error instanceof PlanRefusedError) {
      const words = [error.message, ...error.details.map(({ message }) => message)].join(' ');
      throw PASSING.has(error.code) ? new Error(words, { cause: error }) : new HopelessError(words, { cause: error });
    }
    if (error instanceof FileError && FOR_GOOD.has(error.trouble)) {
      throw new HopelessError(error.message, { cause: error });
    }
    throw error;
  }
}

/** What a failover may look like: told, and tried again with the message, before what was read is given up. */
const PASSING: ReadonlySet<RefusalCode> = new Set(['severalServers', 'sameReplication', 'targetIsReplica']);
/** What no further try changes. */
const FOR_GOOD: ReadonlySet<FileTrouble> = new Set(['changed', 'noRdb', 'packedTooLarge']);

/** Where they stand is kept in the plan's row, and in the state of the reading, which hold a MiB each. */
const MOST_LARGE = 10_000;

function checkLarge(large: number, bigKeyBytes: number): void {
  if (large <= MOST_LARGE) return;
  throw new HopelessError(
    `The file has more than ${MOST_LARGE} keys that are larger than KEYFERRY_BIG_KEY_MIB (${bigKeyBytes / 1_048_576}): raise it, and start again.`,
  );
}

async function readOn(job: RangeJob, app: ReadApp): Promise<ReadFile> {
  const { plan } = job.migration;
  const { file: head } = plan.source;
  const spec = fileOf(plan.request.source);
  if (spec === undefined || head === undefined) throw new Error('The source is no file.');
  const packed = await app.ledger.surveys.get(job.row);
  const findings = FileFindings.from(packed, plan.request, app.settings.bigKeyBytes);
  job.attachSurvey(() => findings.pack());

  const attempt = attemptOn(job);
  const files = app.files.get(spec.rdb);
  const store: Pick<FileStore, 'read'> = { read: (...asked) => attempt(() => files.read(...asked)) };
  const { reader } = findings;
  const look = new FileLook({ store, file: spec.file, place: nameOfSide(spec) }, head, reader);
  const goOn = () => {
    checkLarge(reader.largeSoFar, app.settings.bigKeyBytes);
  };
  await lookOn(job, { look, reader, bytes: storedBytes(head), goOn });
  goOn();
  return findings.whole(look.result());
}

async function planRest(job: RangeJob, read: ReadFile, app: ReadApp): Promise<void> {
  const { id } = job.migration;
  const now = await app.ledger.migrations.get(id);
  // A worker before has planned it, and ended before it could say that it is done.
  if (now === undefined || isFinal(now) || !isUnread(now.plan)) return;
  const plan = await attemptOn(job)(() => preparePlan(now.plan.request, app, { read }));
  await claimTarget(plan, id, app);
  job.check();
  await app.ledger.migrations.update(id, (row) =>
    isFinal(row) || !isUnread(row.plan)
      ? undefined
      : { ...row, plan, course: { ...firstCourse(plan), walks: row.course.walks } },
  );
  app.watch.forget(id);
}
