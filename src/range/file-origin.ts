import type { App } from '../app/app';
import type { Converter } from '../convert/converter';
import { allNoted, type FileKeys } from '../convert/file-keys';
import type { FileStore } from '../files/file-store';
import { contentOf } from '../files/look-through';
import type { DatabasePlan, WalkedDatabase } from '../migration/plan';
import { connectionOf, fileOf, nameOfSide, type FileSpec } from '../migration/side-spec';
import { FileReader, type FileLimits, type FilePlace } from '../transfer/file-reader';
import { namesTable, notesTable } from '../transfer/file-tables';
import type { SourceFile } from '../payload/source-file';
import { governedPort, governedReader } from '../transfer/governed';
import type { RedisPort } from '../redis/redis-port';
import { TOLD_UNCERTAINTY_MS, type ClockOffset } from '../transfer/clock-offset';
import type { Attempt, Origin, Side } from '../transfer/side';
import type { RangeJob } from './range-job';
import { attemptOn, databaseOf, sideOf, type RangeSide, type SidesApp } from './range-sides';
import { expectedKeysOf, PAGE_BYTES } from './range-shape';
import { timedReader } from './timed';

/** What reading a file needs of the app. */
export type FileApp = Pick<App, 'files' | 'fileTables' | 'ledger'>;

/** A file as keys are read from it. */
export interface FileOrigin extends Origin {
  readonly fileKeys: FileKeys;
  /** The type byte of a large key, and the bytes that it takes; undefined for one that is none. */
  largeOf: FileReader['largeOf'];
  /** No more is asked by commands about a key. */
  release(key: Buffer): void;
}

/** The file that a range is read from; undefined where the source is a server. */
export function fileOriginOf(
  job: RangeJob,
  app: FileApp & Pick<App, 'settings' | 'telemetry'>,
  walked: WalkedDatabase,
  converters: readonly Converter[] = [],
  limits: Pick<FileLimits, 'endsBehindLarge'> = {},
): FileOrigin | undefined {
  const { id, plan } = job.migration;
  const spec = fileOf(plan.request.source);
  const { file } = plan.source;
  if (spec === undefined || file === undefined) return undefined;
  const extents = file.databases.find(({ database }) => database === walked.database)?.ranges[job.row.index] ?? [];
  const attempt = attemptOn(job);
  // What is packed is unpacked from its first byte again where a read fails: so it is each read of the store that is tried again.
  const place = placeOf(spec, file, app, attempt);
  const readsAgain = (key: Buffer) => converters.some((converter) => converter.claims(key));
  const goOn = () => {
    job.check();
  };
  const reader = new FileReader(place, job.row, extents, { ...limits, pageBytes: PAGE_BYTES, readsAgain, goOn });
  const notes = notesTable(nameOfSide(spec), placeOf(spec, file, app), walked.database, allNoted(converters));
  const now = () => app.ledger.now();
  const fileKeys: FileKeys = {
    kind: 'file',
    now,
    read: async (keys, mostBytes) => {
      const found = await job.governor.through(
        () => reader.readAgain(keys, mostBytes),
        (read) => ({
          bytes: read.reduce((sum, { payload }) => sum + (Buffer.isBuffer(payload) ? payload.length : 0), 0),
          micros: undefined,
        }),
      );
      const moment = now();
      return found.map((key) => (key.expiry !== 0 && key.expiry <= moment ? undefined : key));
    },
    notes: async (keys) => {
      const table = await app.fileTables.of(notes, job);
      const moment = now();
      return keys.map((key) => table.noteOf(key, moment));
    },
  };
  return {
    fileKeys,
    port: governedPort(reader.port, job.governor),
    scripts: false,
    attempt,
    absent: (keys) => Promise.resolve(reader.expired(keys, now())),
    reader: governedReader(timedReader(reader, id, app.telemetry), job.governor),
    readerOfWhole: { read: (keys) => reader.readWhole(keys, app.settings.bytesInFlight) },
    largeOf: (key) => reader.largeOf(key),
    release: (key) => {
      reader.port.release(key);
    },
    expectedKeys: expectedKeysOf(walked),
    cursorOrder: true,
  };
}

/** Of names alone nothing is asked by commands. */
const noPort: RedisPort = {
  call: () => Promise.reject(new Error('A file answers no commands.')),
  pipeline: () => Promise.reject(new Error('A file answers no commands.')),
};

/** A database of the file, as it can be asked for any of its keys; undefined where the source is a server. */
export function askedFileOf(job: RangeJob, app: FileApp, database: number): Side | undefined {
  const { request, source } = job.migration.plan;
  const spec = fileOf(request.source);
  if (spec === undefined || source.file === undefined) return undefined;
  const place = placeOf(spec, source.file, app);
  const names = namesTable(nameOfSide(spec), place, database);
  const attempt = attemptOn(job);
  return {
    port: noPort,
    scripts: false,
    attempt,
    absent: async (keys) => {
      const table = await attempt(() => app.fileTables.of(names, job));
      const now = app.ledger.now();
      return new Set(keys.flatMap((key, i) => (table.noteOf(key, now) === undefined ? [i] : [])));
    },
  };
}

/** @param attempt for what is read by one worker; what several wait for none of them tries again */
function placeOf(
  spec: FileSpec,
  source: SourceFile,
  { files }: Pick<App, 'files'>,
  attempt: Attempt = (call) => call(),
): FilePlace {
  const store = files.get(spec.rdb);
  const read: FileStore['read'] = (...asked) => attempt(() => store.read(...asked));
  return { store: contentOf({ read }, source), file: spec.file, source };
}

/** Both sides of a range of a file's keys. */
export interface FileSides {
  readonly database: DatabasePlan;
  readonly source: FileOrigin;
  readonly target: RangeSide;
  /** The moments in a file are those of the server that loads it: there is one clock. */
  readonly clock: ClockOffset;
}

/** Connects a range's work to the file that it is read from and to the target; undefined where the source is a server. */
export async function fileSidesOf(
  job: RangeJob,
  app: SidesApp & FileApp,
  converters: readonly Converter[],
  limits?: Pick<FileLimits, 'endsBehindLarge'>,
): Promise<FileSides | undefined> {
  const database = databaseOf(job);
  const source = fileOriginOf(job, app, database, converters, limits);
  if (source === undefined) return undefined;
  const target = sideOf(job, app, 'target', database.targetDatabase, undefined);
  const server = { name: connectionOf(job.migration.plan.request.target), connection: target.connection };
  const clock = await target.attempt(() => app.clocks.offset(server, server));
  if (clock.uncertaintyMs > TOLD_UNCERTAINTY_MS) job.doubtClocks(clock.uncertaintyMs);
  return { database, source, target, clock: { ...clock, targetMinusSource: 0 } };
}
