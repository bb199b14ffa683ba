import type { App } from '../app/app';
import type { BulkConnection } from '../redis/bulk-connection';
import type { RedisConnection } from '../redis/connection';
import { attempt, type AttemptSide } from '../transfer/attempt';
import { PipelinePageReader, ScriptPageReader, type PageReader } from '../transfer/page-reader';
import { timedReader } from '../telemetry/timed';
import type { DatabasePlan } from './plan';
import type { RangeJob } from './range-job';

/** One page's payloads, bytes; what is more waits for the next call. */
const PAGE_BYTES = 2 * 1_048_576;

/** Calls a server, and again while what fails passes by itself. */
type Attempt = <T>(call: () => Promise<T>) => Promise<T>;

/** What work on a range needs of both servers. */
export interface RangeSides {
  readonly database: DatabasePlan;
  readonly source: RedisConnection;
  readonly target: RedisConnection;
  readonly bulk: BulkConnection;
  readonly reader: PageReader;
  readonly attemptSource: Attempt;
  readonly attemptTarget: Attempt;
  /** On the connection for writing in bulk. */
  readonly attemptWrite: Attempt;
  readonly attemptBoth: Attempt;
  readonly onTrouble: (trouble: string | null) => void;
}

/** Connects a range's work to its two databases. The source must be the server process that the cursors belong to. */
export function rangeSides(job: RangeJob, app: App): RangeSides {
  const { migration, row } = job;
  const { request, databases, source: facts } = migration.plan;
  const database = databases.find((d) => d.database === row.database);
  if (database === undefined) throw new Error(`Database ${row.database} is not in the plan.`);
  const source = app.connections.get(request.source, row.database);
  const target = app.connections.get(request.target, database.targetDatabase);
  const bulk = app.connections.bulk(request.target, database.targetDatabase);
  const onTrouble = (trouble: string | null) => {
    job.trouble(trouble);
  };
  const onSource: AttemptSide = { connection: source, name: request.source, runId: migration.sourceRunId };
  const onTarget: AttemptSide = { connection: target, name: request.target, runId: undefined };
  const attemptOn =
    (...sides: AttemptSide[]): Attempt =>
    (call) =>
      attempt({ sides, stop: job, onTrouble }, call);
  const limits = {
    bigKeyBytes: app.settings.bigKeyBytes,
    pageBytes: PAGE_BYTES,
    lookAtSizes: facts.abilities.memoryUsage,
  };
  return {
    database,
    source,
    target,
    bulk,
    reader: timedReader(
      facts.abilities.scripts ? new ScriptPageReader(source, limits) : new PipelinePageReader(source, limits),
      migration.id,
      app.telemetry,
    ),
    attemptSource: attemptOn(onSource),
    attemptTarget: attemptOn(onTarget),
    attemptWrite: attemptOn({ ...onTarget, connection: bulk }),
    attemptBoth: attemptOn(onSource, onTarget),
    onTrouble,
  };
}
