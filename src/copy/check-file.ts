import { z } from 'zod';
import type { App } from '../app/app';
import { packJson, unpackJson } from '../basics/packed-json';
import type { StoredFile } from '../files/file-store';
import { FileLook, lookAtHead, type FileAt } from '../files/look-through';
import { LayoutReader, layoutStateSchema } from '../payload/file-layout';
import { storedBytes, type SourceFile } from '../payload/source-file';
import { lookOn } from '../range/look-on';
import type { RangeJob } from '../range/range-job';

/** Values of more bytes are gone over in pieces. */
const CHECKED_AT_ONCE = 1_048_576;

const kept = z.object({ etag: z.string(), layout: layoutStateSchema });

/**
 * Reads a file that was written from its first byte to its last, from where the last worker was: a large one takes longer than a message's time.
 * @param found the very file that was written: another one that takes its place meanwhile is not taken for it
 * @throws StoppedError, FileError
 */
export async function readBack(
  job: RangeJob,
  at: FileAt,
  found: StoredFile,
  { ledger }: Pick<App, 'ledger'>,
): Promise<SourceFile> {
  const head = await lookAtHead(at, found);
  const before = stateOf(await ledger.surveys.get(job.row), found.version);
  const reader = before === undefined ? new LayoutReader(CHECKED_AT_ONCE) : LayoutReader.from(before);
  // Which records are large nobody asks.
  job.attachSurvey(() => packJson({ etag: found.version, layout: { ...reader.state(), large: [] } }));
  const look = new FileLook(at, head, reader);
  await lookOn(job, { look, reader, bytes: storedBytes(head) });
  return look.result();
}

/** How far a worker before was with this very file; what cannot be read is begun anew. */
function stateOf(packed: Buffer | undefined, etag: string) {
  const { data } = kept.safeParse(packed && unpackJson(packed));
  return data?.etag === etag ? data.layout : undefined;
}
