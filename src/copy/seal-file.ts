import type { App } from '../app/app';
import { FileError } from '../files/file-error';
import type { FileStore, StoredFile } from '../files/file-store';
import { asKept, beginningOf } from '../files/pack';
import type { Plan } from '../migration/plan';
import type { FilePiece, MigrationRow, RangeRow } from '../migration/rows';
import { rowsOfPlan, shapesOf } from '../migration/rows-of-plan';
import { hasFunctions, versionOfFile } from '../migration/file-facts';
import { connectionOf, fileOf, nameOfSide, type FileSpec } from '../migration/side-spec';
import { combineCrc64 } from '../payload/crc64';
import { crcOf, writeDatabase, writeEnd, writeHead } from '../payload/file-records';
import { MOST_UNPACKED } from '../files/look-through';
import type { SourceFile } from '../payload/source-file';
import { FOOTER_BYTES } from '../payload/footer';
import { Output } from '../payload/output';
import type { RangeJob } from '../range/range-job';
import { attemptOn } from '../range/range-sides';
import { isRedisError } from '../redis/errors';
import type { Attempt } from '../transfer/side';
import { blockName } from '../transfer/piece-writer';
import { readBack } from './check-file';

/** What stands in a file's head, to know it again after a crash. */
const WRITER = 'keyferry-migration';
/** What a blob can be made of. */
const MOST_BLOCKS = 50_000;
/** Where that stands for certain. */
const HEAD_BYTES = 4_096;

type SealApp = Pick<App, 'connections' | 'files' | 'ledger'>;

/**
 * Puts the pieces of all ranges together as one file, with what belongs before, between and behind them, and reads it once. Done twice,
 * it is done once: a file that this migration has written is left as it is.
 * @throws FileError where a file of the name came meanwhile
 */
export async function sealFile(job: RangeJob, app: SealApp): Promise<void> {
  const { migration } = job;
  const { plan } = migration;
  const target = fileOf(plan.request.target);
  if (target === undefined) throw new Error('The target is no file.');
  const store = app.files.get(target.rdb);
  const patiently = attemptOn(job);
  const pieces = await piecesOf(migration, app);
  const find = () => patiently(() => writtenBy(writerOf(migration), target, store));
  let written = await find();
  if (written === undefined) {
    await putTogether(job, pieces, target, store, app);
    written = await find();
  } else await store.discard(target.file, migration.id);
  const place = nameOfSide(target);
  if (written === undefined) throw new FileError('changed', place);
  if (plan.request.verify === 'none') return;
  const read: FileStore['read'] = (...asked) => patiently(() => store.read(...asked));
  const at = { store: { find: (file: string) => store.find(file), read }, file: target.file, place };
  checkKeys(pieces, await readBack(job, at, written, app), place);
}

async function putTogether(
  job: RangeJob,
  pieces: readonly DatabasePieces[],
  target: FileSpec,
  store: FileStore,
  app: SealApp,
): Promise<void> {
  const { migration, row } = job;
  const { id, plan } = migration;
  const patiently = attemptOn(job);
  const content = pieces.flatMap(({ ofRanges }) => ofRanges).reduce((sum, { piece }) => sum + piece.bytes, 0);
  if (target.gzip === true && content > MOST_UNPACKED) {
    throw new Error(
      'The file would have more than 16 GiB when it is unpacked, and could not be restored: leave "gzip" out.',
    );
  }
  const blocks: string[] = [];
  let crc = 0n;
  let number = 0;
  const add = (ofBlock: bigint, length: number) => {
    crc = combineCrc64(crc, ofBlock, length);
  };
  const own = async (write: (out: Output) => void) => {
    const out = new Output();
    write(out);
    const block = blockName(row.number + OWN_BLOCKS, row.generation, number++);
    const content = out.copy();
    add(crcOf(content), content.length);
    const kept = await asKept(content, target);
    await patiently(() => store.stage(target.file, id, block, kept));
    blocks.push(block);
  };
  await own((out) => {
    writeHead(out, versionOfFile(plan.target.abilities), [
      ['redis-ver', plan.source.version],
      ['redis-bits', '64'],
      ['ctime', String(Math.floor(app.ledger.now() / 1_000))],
      ['used-mem', String(plan.source.usedMemory ?? 0)],
      [WRITER, writerOf(migration)],
    ]);
  });
  const functions = await functionsOf(plan, patiently, app);
  if (functions.length > 0) {
    await own((out) => {
      out.raw(functions, 0, functions.length);
    });
  }
  for (const { targetDatabase, ofRanges, keys, expiring } of pieces) {
    if (keys === 0) continue;
    await own((out) => {
      writeDatabase(out, targetDatabase, keys, expiring);
    });
    for (const { range, piece } of ofRanges) {
      for (const [generation, first, last] of piece.runs) {
        for (let block = first; block <= last; block++) blocks.push(blockName(range, generation, block));
      }
      add(BigInt(`0x${piece.crc}`), piece.bytes);
    }
  }
  await own((out) => {
    writeEnd(out, (end) => combineCrc64(crc, crcOf(end), end.length));
  });
  if (blocks.length > MOST_BLOCKS) {
    throw new Error(
      `The file would have ${blocks.length} blocks, and a blob takes ${MOST_BLOCKS}: back up parts of the databases.`,
    );
  }
  // What takes long in a folder is no standstill.
  const step = () => {
    job.progressed(false);
  };
  await patiently(() => store.commit(target.file, id, blocks, target.overwrite === true, step));
}

/** Holds what a file has against what was written into it. @throws Error */
function checkKeys(pieces: readonly DatabasePieces[], { damage, databases }: SourceFile, place: string): void {
  if (damage !== undefined) {
    throw new Error(`The file "${place}" is damaged at byte ${damage.at} (${damage.reason}): it is of no use.`);
  }
  for (const { targetDatabase, keys: written } of pieces) {
    const keys = databases.find(({ database }) => database === targetDatabase)?.keys ?? 0;
    if (keys !== written) {
      throw new Error(
        `The file "${place}" has ${keys} keys in database ${targetDatabase}, and ${written} were written.`,
      );
    }
  }
}

/** A migration that was asked for again, where nothing is known of it any more, may have the same id. */
function writerOf({ id, startedAt }: MigrationRow): string {
  return `${id} ${startedAt}`;
}

/** Numbers of our own blocks are those of no range. */
const OWN_BLOCKS = 900_000_000;

/** The records of the source's function libraries. */
async function functionsOf({ request, source, target }: Plan, patiently: Attempt, app: SealApp): Promise<Buffer> {
  if (!hasFunctions(target.abilities) || source.abilities.functions === 0) return Buffer.alloc(0);
  const connection = app.connections.get(connectionOf(request.source), 0);
  const dump = await patiently(async () => {
    await connection.ready();
    const [server] = await connection.servers();
    return (await server?.pipeline([['FUNCTION', 'DUMP']]))?.[0];
  });
  // Without the right the plan has warned.
  if (isRedisError(dump, 'noRight', 'unknownCommand')) return Buffer.alloc(0);
  if (dump instanceof Error) throw dump;
  return Buffer.isBuffer(dump) ? dump.subarray(0, Math.max(0, dump.length - FOOTER_BYTES)) : Buffer.alloc(0);
}

interface DatabasePieces {
  readonly targetDatabase: number;
  readonly ofRanges: readonly { readonly range: number; readonly piece: FilePiece }[];
  readonly keys: number;
  /** Of them, those that expire. */
  readonly expiring: number;
}

/** What the ranges have written, by the databases of the file. @throws Error where anything is not as it must be for a file */
async function piecesOf(migration: MigrationRow, app: Pick<App, 'ledger'>): Promise<DatabasePieces[]> {
  const { id, plan } = migration;
  const walked = plan.phases.find(({ work }) => work === 'copy')?.name ?? '';
  const rows = rowsOfPlan(migration, await app.ledger.ranges.list(id)).filter(({ phase }) => phase === walked);
  const bad = rows.find((row) => row.state !== 'done' || (row.piece?.keys ?? 0) !== row.counts.copied);
  if (rows.length !== shapesOf(plan, walked).length || bad !== undefined) {
    throw new Error(`The range ${bad?.name ?? ''} has not told all that it wrote: the file cannot be put together.`);
  }
  const targets = [...new Set(plan.databases.map(({ targetDatabase }) => targetDatabase))].sort((a, b) => a - b);
  return targets.map((targetDatabase) => {
    const databases = new Set(
      plan.databases.filter((each) => each.targetDatabase === targetDatabase).map(({ database }) => database),
    );
    const ofRanges = rows.flatMap((each) => pieceOf(each, databases));
    const keys = ofRanges.reduce((sum, { piece }) => sum + piece.keys, 0);
    const expiring = ofRanges.reduce((sum, { piece }) => sum + piece.expiring, 0);
    return { targetDatabase, ofRanges, keys, expiring };
  });
}

function pieceOf({ number, database, piece }: RangeRow, databases: ReadonlySet<number>) {
  return piece === null || !databases.has(database) ? [] : [{ range: number, piece }];
}

/** The file, where it is there and this migration's, as after a crash. @throws FileError where it is another one that must stay */
async function writtenBy(writer: string, target: FileSpec, store: FileStore): Promise<StoredFile | undefined> {
  const found = await store.find(target.file);
  if (found === undefined) return undefined;
  const head = beginningOf(await store.read(target.file, found.version, 0, Math.min(HEAD_BYTES, found.bytes)));
  if (head.includes(WRITER) && head.includes(writer)) return found;
  if (target.overwrite === true) return undefined;
  throw new FileError('exists', nameOfSide(target));
}
