import type { App } from '../app/app';
import { contentOf } from '../files/look-through';
import { apartFromSource } from '../migration/same-server';
import { connectionOf, fileOf } from '../migration/side-spec';
import type { KeyFinding } from '../migration/rows';
import { BadPayloadError } from '../payload/byte-reader';
import { readLibraries } from '../payload/read-record';
import type { RangeJob } from '../range/range-job';
import { attemptOn } from '../range/range-sides';
import { RedisError } from '../redis/errors';
import type { RedisPort } from '../redis/redis-port';
import { Hindrance } from '../transfer/hindrance';

/** What a library's first line says: redis/src/functions.c, extractMetadata. */
const NAME = /^#!\S+(?:[ \t]+\S+)*?[ \t]+name=(\w+)/i;

type LibrariesApp = Pick<App, 'budget' | 'connections' | 'files' | 'settings'>;

/**
 * Has the target load the function libraries of the file. One that is there already, with the same code, is left as it is: done twice,
 * it is done once.
 */
export async function loadLibraries(job: RangeJob, app: LibrariesApp): Promise<void> {
  if (job.row.share === 1) return;
  const { request, source } = job.migration.plan;
  const { file } = source;
  const spec = fileOf(request.source);
  if (spec === undefined || file === undefined) throw new Error('The source is no file.');
  const store = contentOf(app.files.get(spec.rdb), file);
  const target = new Target(job, app);
  const findings: KeyFinding[] = [];
  const tell = (name: string, why: string) => {
    const message = `The function library was not loaded: ${why}`;
    findings.push({ key: Buffer.from(name), code: 'library-not-loaded', message });
  };
  for (const [start, end] of file.libraries ?? []) {
    const place = `libraries at byte ${start}`;
    const bytes = end - start;
    if (bytes > app.settings.bytesInFlight) {
      tell(place, 'it is larger than what goes at once (KEYFERRY_MEMORY_MIB).');
      continue;
    }
    await app.budget.until(job).chunks.take(bytes);
    try {
      const records = await attemptOn(job)(() => store.read(spec.file, file.etag, start, bytes));
      for (const code of librariesIn(records, (why) => {
        tell(place, `${why}.`);
      })) {
        const name = NAME.exec(code.toString('latin1', 0, 1_024))?.[1];
        const refusal = await target.load(code, name);
        if (refusal !== undefined) tell(name ?? place, refusal);
        job.progressed(false);
      }
    } finally {
      app.budget.chunks.give(bytes);
    }
  }
  await job.add({}, findings, 0n);
}

function librariesIn(records: Buffer, onBad: (why: string) => void): Buffer[] {
  try {
    return readLibraries(records);
  } catch (error) {
    if (!(error instanceof BadPayloadError)) throw error;
    onBad(error.message);
    return [];
  }
}

/** The server that loads libraries; of a cluster each master does. */
class Target {
  private readonly hindrance: Hindrance;
  private readonly replaces: boolean;

  constructor(
    private readonly job: RangeJob,
    private readonly app: Pick<App, 'connections'>,
  ) {
    this.hindrance = new Hindrance(job, (trouble) => {
      job.trouble(trouble);
    });
    this.replaces = job.migration.plan.request.onConflict === 'replace';
  }

  /** @returns why it is not there; undefined where it is, or where another one of the name may stay */
  async load(code: Buffer, name: string | undefined): Promise<string | undefined> {
    const { migration } = this.job;
    const connection = this.app.connections.get(
      connectionOf(migration.plan.request.target),
      0,
      apartFromSource(migration),
    );
    const patiently = attemptOn(this.job, { connection, runId: undefined });
    for (;;) {
      try {
        return await patiently(async () => {
          await connection.ready();
          for (const server of await connection.servers()) {
            const refusal = await this.loadOn(server, code, name);
            if (refusal !== undefined) return refusal;
          }
          this.hindrance.over();
          return undefined;
        });
      } catch (error) {
        if (!(error instanceof RedisError) || error.asks === 'retry') throw error;
        if (error.asks !== 'room') return error.message;
        await this.hindrance.wait(error);
      }
    }
  }

  private async loadOn(server: RedisPort, code: Buffer, name: string | undefined): Promise<string | undefined> {
    const known = name === undefined ? undefined : await knownCode(server, name);
    if (known?.equals(code) === true) return undefined;
    if (known !== undefined && !this.replaces) {
      const { onConflict } = this.job.migration.plan.request;
      return onConflict === 'skip' ? undefined : 'the target has another one of this name.';
    }
    const [loaded] = await server.pipeline([['FUNCTION', 'LOAD', ...(this.replaces ? ['REPLACE'] : []), code]]);
    if (loaded instanceof RedisError) throw loaded;
    return undefined;
  }
}

/** The code of a library that a server has. */
async function knownCode(server: RedisPort, name: string): Promise<Buffer | undefined> {
  const [found] = await server.pipeline([['FUNCTION', 'LIST', 'LIBRARYNAME', name, 'WITHCODE']]);
  if (found instanceof RedisError) throw found;
  const [library] = Array.isArray(found) ? found : [];
  if (!Array.isArray(library)) return undefined;
  const at = library.findIndex((field) => Buffer.isBuffer(field) && field.toString('latin1') === 'library_code');
  const code = library[at + 1];
  return at >= 0 && Buffer.isBuffer(code) ? code : undefined;
}
