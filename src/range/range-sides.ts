import type { App } from '../app/app';
import { innerOf, ownCursorOf, slotOf } from '../keyspace/slot-walk';
import { writesTarget, type SideName } from '../migration/phases';
import type { DatabasePlan, Plan, WalkedDatabase } from '../migration/plan';
import { apartFromSource } from '../migration/same-server';
import { connectionOf } from '../migration/side-spec';
import { useCarried } from '../migration/use-kind';
import { SourceChangedError } from '../migration/stop';
import type { OwnWay } from '../redis/connections';
import type { Own } from '../redis/own-connections';
import type { RedisPort } from '../redis/redis-port';
import { attempt, type AttemptSide } from '../transfer/attempt';
import { TOLD_UNCERTAINTY_MS, type Clocked, type ClockOffset } from '../transfer/clock-offset';
import { governedPort, governedReader } from '../transfer/governed';
import { CarefulPort } from '../transfer/careful-port';
import { CautiousReader } from '../transfer/cautious-reader';
import { PipelinePageReader, ScriptPageReader, type PageReader, type ReadLimits } from '../transfer/page-reader';
import type { Attempt, Origin, Side } from '../transfer/side';
import { NodeReader } from '../transfer/node-reader';
import { SlotReader } from '../transfer/slot-reader';
import type { JobHold } from './range-job';
import { expectedKeysOf, PAGE_BYTES } from './range-shape';
import { timedReader } from './timed';

/** Bytes. */
const BIG_WHERE_SLOW = 256 * 1_024;

/** How long collecting the names of a slot may go on beyond the deadline of the message: whoever goes on would have to begin with it again. */
const COLLECTING_MS = 30_000;

/** What the connections of a range need of the app. */
export type SidesApp = Pick<App, 'budget' | 'clocks' | 'connections' | 'files' | 'settings' | 'telemetry'>;

/** A side with its connection as it is, which keeps no limits: for clocks, where a wait would look like one that is off. */
export interface RangeSide extends Side {
  readonly connection: Clocked['connection'];
  /** What an attempt must hold to. */
  readonly guard: AttemptSide;
  /**
   * Gives a call connections that nobody else uses; the one for writing in bulk is not open yet.
   * @throws RedisError of the kind where one is lost for what the call does, SourceChangedError, what the call throws
   */
  readonly onOwn: <T>(kind: OwnWay['kind'], memory: OwnWay['memory'], call: (own: Own) => Promise<T>) => Promise<T>;
}

/**
 * One database of a side.
 * @param runId the server process that must answer; undefined where any may
 */
export function sideOf(
  job: JobHold,
  app: Pick<App, 'connections'>,
  side: SideName,
  database: number,
  runId: string | undefined,
): RangeSide {
  const { plan } = job.migration;
  const name = connectionOf(plan.request[side]);
  const apart = side === 'target' ? apartFromSource(job.migration) : undefined;
  const connection = app.connections.get(name, database, apart);
  // What it knew may be from before the walk began, which may have begun for masters that were replaced.
  if (plan[side].cluster) connection.cluster.suspect();
  const guard = { connection, runId };
  const governed = (port: RedisPort) => (side === 'source' || plan.inPlace ? governedPort(port, job.governor) : port);
  const port = governed(connection);
  const onOwn: RangeSide['onOwn'] = (kind, memory, call) =>
    app.connections.alone(
      { name, database, kind, memory, apart },
      async (own) => {
        if (runId !== undefined && own.runId !== undefined && own.runId !== runId) {
          throw new SourceChangedError(own.runId);
        }
        return await call(own);
      },
      job,
    );
  const careful = (kind: OwnWay['kind']) =>
    new CarefulPort(port, (call) => onOwn(kind, 'held', ({ connection: own }) => call(governed(own))));
  return {
    connection,
    guard,
    onOwn,
    port,
    careful: { reading: careful('replyTooLong'), writing: careful('valueTooLong') },
    scripts: plan[side].abilities.scripts,
    nodeScripts: plan[side].cluster && seesNodes(plan[side].abilities),
    attempt: attemptOn(job, guard),
  };
}

/** Whether it was tried on every master that scripts see all of its keys. */
function seesNodes({ cursorOrder, nodeWalks }: Plan[SideName]['abilities']): boolean {
  return cursorOrder === true && nodeWalks === undefined;
}

/** Makes calls on several connections, and again while what fails passes by itself; trouble is told in the range's row. */
export function attemptOn(job: JobHold, ...sides: readonly AttemptSide[]): Attempt {
  const onTrouble = (trouble: string | null) => {
    job.trouble(trouble);
  };
  return (call) => attempt({ sides, stop: job, onTrouble }, call);
}

/** The side that the range's cursors belong to, as keys are read from it. */
export function originOf(job: JobHold, app: SidesApp, name: SideName, walked: WalkedDatabase): RangeSide & Origin {
  const { id, plan, walkedRunId } = job.migration;
  const side = sideOf(job, app, name, walked.database, walkedRunId);
  const isSource = name === 'source';
  const { cluster } = app.connections.get(connectionOf(plan.request[name]), walked.database);
  const use = isSource && writesTarget(plan) ? useCarried(plan) : undefined;
  const { nodeWalks } = plan[name].abilities;
  // One after the other: each goes on with smaller pages.
  let slots: SlotReader | undefined;
  const make = (limits: ReadLimits, own?: Own): PageReader => {
    const port = own?.connection ?? side.connection;
    if (!plan[name].cluster) {
      return side.scripts ? new ScriptPageReader(port, limits) : new PipelinePageReader(port, limits);
    }
    if (nodeWalks !== undefined) return new NodeReader(cluster, job.row, port, limits);
    if (own?.nodes !== undefined) return new SlotReader(own.nodes, job.row, limits);
    slots?.end();
    slots = new SlotReader(cluster, job.row, limits, {
      stop: job,
      inTime: (work) => job.beyondDeadline(COLLECTING_MS, work),
      budget: app.budget.names,
    });
    return slots;
  };
  const limitsOf = (bigKeyBytes: number): ReadLimits => ({
    bigKeyBytes,
    pageBytes: PAGE_BYTES,
    lookAtSizes: isSource && plan.source.abilities.memoryUsage,
    use,
  });
  const governed = (reader: PageReader) =>
    // Of the target only names are read, and its limits are nobody's.
    isSource ? governedReader(timedReader(reader, id, app.telemetry), job.governor) : reader;
  const readerOfWhole: Origin['readerOfWhole'] = {
    read: (keys) =>
      side.onOwn('replyTooLong', 'held', (own) => governed(make(limitsOf(app.settings.bytesInFlight), own)).read(keys)),
  };
  const bigKeyBytes = job.isSlow ? Math.min(BIG_WHERE_SLOW, app.settings.bigKeyBytes) : app.settings.bigKeyBytes;
  return {
    ...side,
    // In a page that one message's time was not enough for, what can go in pieces does.
    reader: governed(new CautiousReader(make, limitsOf(bigKeyBytes))),
    readerOfWhole,
    expectedKeys: expectedKeysOf(walked),
    cursorOrder: plan[name].abilities.cursorOrder === true,
    ...(plan[name].cluster
      ? {
          staysInside: true,
          end: () => slots?.end(),
          isBorder: (cursor: bigint) =>
            innerOf(cursor) === 0 && ownCursorOf(cursor).own === 0n && cluster.isBorder(slotOf(cursor)),
        }
      : {}),
  };
}

/** Both sides of a range of the source's keys, both of them servers. */
export interface RangeSides {
  readonly database: DatabasePlan;
  readonly source: RangeSide & Origin;
  readonly target: RangeSide;
}

/** The database of the plan that a range of the source is of. */
export function databaseOf({ migration: { plan }, row }: Pick<JobHold, 'migration' | 'row'>): DatabasePlan {
  const database = plan.databases.find((d) => d.database === row.database);
  if (database === undefined) throw new Error(`Database ${row.database} is not in the plan.`);
  return database;
}

/** Connects a range's work to its two databases. The source must be the server process that the cursors belong to. */
export function rangeSides(job: JobHold, app: SidesApp): RangeSides {
  const database = databaseOf(job);
  return {
    database,
    source: originOf(job, app, 'source', database),
    target: sideOf(job, app, 'target', database.targetDatabase, undefined),
  };
}

/**
 * How far the target's clock is from the source's. Written down where that is not known well.
 * @param anew what was measured before is not believed any more
 */
export async function compareClocks(
  job: JobHold,
  { source, target }: RangeSides,
  { clocks }: Pick<App, 'clocks'>,
  anew = false,
): Promise<ClockOffset> {
  const { request } = job.migration.plan;
  const servers = [
    { name: connectionOf(request.source), connection: source.connection },
    { name: connectionOf(request.target), connection: target.connection },
  ] as const;
  if (anew) for (const server of servers) clocks.forget(server);
  const onBoth = attemptOn(job, source.guard, target.guard);
  const offset = await onBoth(() => clocks.offset(...servers));
  if (offset.uncertaintyMs > TOLD_UNCERTAINTY_MS) job.doubtClocks(offset.uncertaintyMs);
  return offset;
}
