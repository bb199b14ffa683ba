import type { App } from '../app/app';
import type { Names } from '../convert/names';
import { asKept } from '../files/pack';
import { versionOfFile } from '../migration/file-facts';
import { shapesOf } from '../migration/rows-of-plan';
import { connectionOf, fileOf } from '../migration/side-spec';
import { payloadGateOf } from '../migration/transport';
import { useCarried } from '../migration/use-kind';
import { StoppedError } from '../migration/stop';
import type { RangeJob } from '../range/range-job';
import { chunkBytesOf } from '../range/range-shape';
import { attemptOn, type RangeSide, type SidesApp } from '../range/range-sides';
import { isRedisError, isTooLong, RedisError } from '../redis/errors';
import { ELEMENTS_PER_COMMAND } from '../transfer/by-commands/chunk-size';
import { abilitiesOf } from '../transfer/by-commands/abilities-of';
import { FileSink, SHRUNK, type KeyInPieces } from '../transfer/file-sink';
import { governedPort, measuredPort } from '../transfer/governed';
import { blockName, PieceWriter } from '../transfer/piece-writer';
import { memoryOf, recordInPieces, type InPieces } from '../transfer/record-in-pieces';
import type { Origin } from '../transfer/side';

const LEAST_BLOCK = 524_288;
/** Where replies are too long for the server, what is asked for becomes less, down to this part of it. */
const SMALLEST_PART = 256;
const SMALLEST_CHUNK = 16_384;
/** Of a key that is written in pieces. */
const CHUNKS_PER_BLOCK = 4;
/** Of a blob there may be 50,000: so many are as large as they should be, and so many are smaller, for the sake of checkpoints. */
const MOST_BLOCKS = 20_000;
const MOST_EARLY_BLOCKS = 20_000;

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
  const storage = { failures: 0 };
  const blockBytes = blockBytesOf(plan.source.usedMemory);
  const mostBlocks = Math.ceil(MOST_EARLY_BLOCKS / shapesOf(plan, job.migration.phase).length);
  const writer = new PieceWriter(piece, generation, blockBytes, mostBlocks, (of, block, bytes) =>
    asKept(bytes, target).then((kept) =>
      patiently(async () => {
        try {
          await store.stage(target.file, id, blockName(number, of, block), kept);
        } catch (error) {
          storage.failures++;
          throw error;
        }
      }),
    ),
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
  const inPieces = keyInPieces(job, app, source, storage);
  return new FileSink(
    source,
    writer,
    prepare,
    names,
    app.budget.until(job).chunks,
    bytesInFlight,
    useCarried(plan),
    inPieces,
  );
}

/** What would have to be done all over again with the next message: a key that takes longer than that is not written. */
const LONGEST_KEY_MS = 4 * 60_000;

const TAKES_TOO_LONG = {
  code: 'too-large',
  message: `The key was not written: to read it takes longer than ${LONGEST_KEY_MS / 60_000} minutes, and what was read of a key is good only as one.`,
} as const;

const KEEPS_CHANGING = {
  code: 'changing',
  message: `The key was not written: it was written to in every attempt to read it that came to its end within ${LONGEST_KEY_MS / 60_000} minutes.`,
} as const;

/**
 * The time that one key takes, from when there is a turn and memory for it. Of the message's deadline it is independent once it has begun.
 * Nothing is held against the key that the process or the storage is the reason of.
 */
class KeyTime {
  private began: number | undefined;
  private hasChanged = false;
  /** Why the key is given up. */
  verdict: typeof TAKES_TOO_LONG | typeof KEEPS_CHANGING | undefined;

  constructor(
    private readonly job: Pick<RangeJob, 'beyondDeadline' | 'froze' | 'isOver'>,
    private readonly storage: { readonly failures: number },
    private readonly longestMs: number,
  ) {}

  /** @throws StoppedError where the message's time is over before the first reading; what `read` throws */
  async reading(read: () => Promise<InPieces | 'changed'>): Promise<InPieces | 'changed'> {
    const { job, storage, longestMs } = this;
    if (this.began === undefined && job.isOver) throw new StoppedError('deadline');
    const from = performance.now();
    this.began ??= from;
    const { failures } = storage;
    try {
      const outcome = await job.beyondDeadline(this.began + longestMs - from, read);
      this.hasChanged ||= outcome === 'changed';
      return outcome;
    } catch (error) {
      const isLate = error instanceof StoppedError && error.reason === 'deadline';
      if (isLate && !job.froze && storage.failures === failures) this.judge(from);
      throw error;
    }
  }

  private judge(from: number): void {
    const now = performance.now();
    if (now - from >= this.longestMs) this.verdict = TAKES_TOO_LONG;
    else if (this.hasChanged && now - (this.began ?? now) >= this.longestMs) this.verdict = KEEPS_CHANGING;
  }
}

/** Of a cluster none: that nobody has written to a key is known by WATCH, of which another node that its slot goes to knows nothing. */
export function keyInPieces(
  job: RangeJob,
  app: SidesApp & Pick<App, 'budget'>,
  source: Pick<RangeSide, 'attempt' | 'onOwn'>,
  storage: { readonly failures: number },
  longestMs = LONGEST_KEY_MS,
): KeyInPieces | undefined {
  const { plan } = job.migration;
  if (plan.source.cluster) return undefined;
  const step = () => {
    job.check();
    job.progressed(false);
  };
  return async (key, name, use, keep) => {
    if (job.isOver) throw new StoppedError('deadline');
    let time = new KeyTime(job, storage, longestMs);
    const options = {
      source: abilitiesOf(plan.source),
      version: versionOfFile(plan.target.abilities),
      chunkBytes: chunkBytesOf(plan),
      blockBytes: Math.max(CHUNKS_PER_BLOCK * chunkBytesOf(plan), blockBytesOf(plan.source.usedMemory)),
      ...{ keep, step },
    };
    const inMemory = async (part: number): Promise<InPieces> => {
      const { chunks } = app.budget;
      const least = memoryOf(options);
      let taken = least;
      await app.budget.until(job).chunks.take(taken);
      // A reply may be larger than what was aimed at.
      const holding = (reply: number) => {
        const actual = least + 2 * Math.max(0, reply - options.chunkBytes);
        chunks.correct(taken, actual);
        taken = actual;
      };
      try {
        return await source.onOwn('replyTooLong', 'held', ({ connection: own }) => {
          time = new KeyTime(job, storage, longestMs);
          const reading: KeyTime['reading'] = (read) => time.reading(read);
          const port = measuredPort(governedPort(own, job.governor), holding);
          return recordInPieces(port, key, name, use, {
            ...{ ...options, reading },
            chunkBytes: Math.max(SMALLEST_CHUNK, Math.floor(options.chunkBytes / part)),
            mostElements: Math.ceil(ELEMENTS_PER_COMMAND / part),
          });
        });
      } finally {
        chunks.give(taken);
      }
    };
    const inEverSmallerChunks = async (part: number): Promise<InPieces> => {
      try {
        return await source.attempt(() => inMemory(part));
      } catch (error) {
        if (!isTooLong(error) || part >= SMALLEST_PART) throw error;
        return await inEverSmallerChunks(4 * part);
      }
    };
    try {
      return await inEverSmallerChunks(1);
    } catch (error) {
      if (error instanceof RedisError && isOfKey(error)) {
        const message = `The key was not written: ${error.message}`;
        return { kind: 'failed', finding: { key, code: 'command-refused', message } };
      }
      if (!(error instanceof StoppedError) || time.verdict === undefined) throw error;
      return { kind: 'failed', finding: { key, ...time.verdict } };
    }
  };
}

/** As with a copy by commands: a right that is missing for one type is no reason to leave all others behind. */
function isOfKey(error: RedisError): boolean {
  return (error.asks === 'key' && !isTooLong(error)) || isRedisError(error, 'noRight', 'unknownCommand');
}

function blockBytesOf(usedMemory = 0): number {
  return Math.max(LEAST_BLOCK, Math.ceil(usedMemory / MOST_BLOCKS));
}
