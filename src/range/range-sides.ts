import type { App } from '../app/app';
import type { BulkConnection } from '../redis/bulk-connection';
import type { RedisPort } from '../redis/redis-port';
import { attempt, type AttemptSide } from '../transfer/attempt';
import { measureClockOffset, type ClockOffset } from '../transfer/clock-offset';
import { governedPort, governedReader } from '../transfer/governed';
import { PipelinePageReader, ScriptPageReader, type PageReader } from '../transfer/page-reader';
import { timedReader } from './timed';
import type { DatabasePlan } from '../migration/plan';
import type { RangeJob } from './range-job';

/** One page's payloads, bytes; what is more waits for the next call. */
const PAGE_BYTES = 2 * 1_048_576;

/** Calls a server, and again while what fails passes by itself. */
type Attempt = <T>(call: () => Promise<T>) => Promise<T>;

/** What work on a range needs of both servers. */
export interface RangeSides {
  readonly database: DatabasePlan;
  /** Every call waits until the migration's limits allow it. */
  readonly source: RedisPort;
  readonly target: RedisPort;
  readonly bulk: BulkConnection;
  readonly reader: PageReader;
  readonly attemptSource: Attempt;
  readonly attemptTarget: Attempt;
  /** On the connection for writing in bulk. */
  readonly attemptWrite: Attempt;
  readonly attemptBoth: Attempt;
  readonly compareClocks: () => Promise<ClockOffset>;
  readonly onTrouble: (trouble: string | null) => void;
}

/** Connects a range's work to its two databases. The source must be the server process that the cursors belong to. */
export function rangeSides(job: RangeJob, app: Pick<App, 'connections' | 'settings' | 'telemetry'>): RangeSides {
  const { migration, row } = job;
  const { request, databases, inPlace, source: facts } = migration.plan;
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
  const reader = facts.abilities.scripts
    ? new ScriptPageReader(source, limits)
    : new PipelinePageReader(source, limits);
  const attemptBoth = attemptOn(onSource, onTarget);
  return {
    database,
    source: governedPort(source, job.governor),
    target: inPlace ? governedPort(target, job.governor) : target,
    bulk,
    reader: governedReader(timedReader(reader, migration.id, app.telemetry), job.governor),
    attemptSource: attemptOn(onSource),
    attemptTarget: attemptOn(onTarget),
    attemptWrite: attemptOn({ ...onTarget, connection: bulk }),
    attemptBoth,
    // Not through the governor: a wait would look like a clock that is off.
    compareClocks: () => attemptBoth(() => measureClockOffset(source, target)),
    onTrouble,
  };
}
