import type { App } from '../app/app';
import type { Names } from '../convert/names';
import { connectionOf, fileOf } from '../migration/side-spec';
import { payloadGateOf } from '../migration/transport';
import { useCarried } from '../migration/use-kind';
import type { RangeJob } from '../range/range-job';
import { attemptOn, type RangeSide, type SidesApp } from '../range/range-sides';
import { isRedisError } from '../redis/errors';
import { FileSink, SHRUNK } from '../transfer/file-sink';
import { blockName, PieceWriter } from '../transfer/piece-writer';
import type { Origin } from '../transfer/side';

const LEAST_BLOCK = 1_048_576;
/** Of a blob there may be 50,000; some are smaller than this by chance. */
const MOST_BLOCKS = 20_000;

/**
 * With fewer keys a table may have fewer buckets than there are ranges, which then share some: a key would stand in the file twice.
 * A table has as many buckets as keys at least, or a fifth of that while a child process of the server runs.
 */
const KEYS_PER_RANGE = 16;

function unknownIfRefused(error: unknown): undefined {
  if (!isRedisError(error, 'noRight', 'unknownCommand')) throw error;
}

/** A range's piece of a file, as parts are written to it. */
export async function fileSinkOf(
  job: RangeJob,
  app: SidesApp & Pick<App, 'budget'>,
  source: RangeSide & Origin,
  names: Names,
): Promise<FileSink> {
  const { plan, id } = job.migration;
  const target = fileOf(plan.request.target);
  if (target === undefined) throw new Error('The target is no file.');
  const store = app.files.get(target.rdb);
  const patiently = attemptOn(job);
  const { number, generation, piece } = job.row;
  const writer = new PieceWriter(piece, generation, blockBytesOf(plan.source.usedMemory), (of, block, bytes) =>
    patiently(() => store.stage(target.file, id, blockName(number, of, block), bytes)),
  );
  const mustBeLarge = async () => {
    if (job.row.bits === 0 || plan.source.cluster) return;
    const keys = await source.attempt(() => source.connection.call('DBSIZE').catch(unknownIfRefused));
    if (typeof keys !== 'number' || keys >= KEYS_PER_RANGE * 2 ** job.row.bits) return;
    const shrunk = new Error(SHRUNK);
    writer.fail(shrunk);
    throw shrunk;
  };
  await mustBeLarge();
  job.attachPiece(async (force) => {
    // Cut before anything is waited for: the piece is that of the cursor in this moment.
    const [cut] = await Promise.all([writer.cut(force), mustBeLarge()]);
    return cut;
  });
  const server = { name: connectionOf(plan.request.source), connection: source.connection };
  const clock = await source.attempt(() => app.clocks.offset(server, server));
  const gate = payloadGateOf(plan);
  const prepare = (payload: Buffer) => gate.prepare(payload, () => clock.targetNow());
  const { bytesInFlight } = app.settings;
  return new FileSink(source, writer, prepare, names, app.budget.chunks, bytesInFlight, useCarried(plan));
}

function blockBytesOf(usedMemory = 0): number {
  return Math.max(LEAST_BLOCK, Math.ceil(usedMemory / MOST_BLOCKS));
}
