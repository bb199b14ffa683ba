import { createHash, randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm, rmdir, stat, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { FileError, type FileTrouble } from './file-error';
import type { FileStore, StoredFile } from './file-store';

/** Blocks wait here, beside the files: what is put together must be on the same disk. */
const STAGING = '.keyferry-staging';
const WHOLE = 'whole';

/** Files in a folder of this machine. */
export class FolderStore implements FileStore {
  readonly address: string;

  constructor(
    private readonly name: string,
    private readonly folder: string,
  ) {
    this.address = pathToFileURL(folder).href;
  }

  async find(file: string): Promise<StoredFile | undefined> {
    return await this.onDisk(file, async () => {
      await this.mustBeThere();
      const found = await stat(this.pathOf(file)).catch(undefinedIfAbsent);
      if (found?.isDirectory() === true) throw new FileError('isFolder', this.placeOf(file));
      return found?.isFile() === true ? { bytes: found.size, version: versionOf(found) } : undefined;
    });
  }

  async read(file: string, version: string, start: number, length: number): Promise<Buffer> {
    return await this.onDisk(file, async () => {
      const handle = await open(this.pathOf(file), 'r');
      try {
        const now = await handle.stat();
        if (versionOf(now) !== version) throw new FileError('changed', this.placeOf(file));
        const bytes = Buffer.allocUnsafe(length);
        for (let at = 0; at < bytes.length;) {
          const { bytesRead } = await handle.read(bytes, at, bytes.length - at, start + at);
          if (bytesRead === 0) throw new FileError('broken', this.placeOf(file));
          at += bytesRead;
        }
        return bytes;
      } finally {
        await handle.close();
      }
    });
  }

  async stage(file: string, writer: string, block: string, bytes: Buffer): Promise<void> {
    await this.onDisk(file, async () => {
      await this.mustBeThere();
      const staging = this.stagingOf(file, writer);
      await mkdir(staging, { recursive: true });
      const target = path.join(staging, block);
      await writeFile(`${target}.part`, bytes, { flush: true });
      await rename(`${target}.part`, target);
    });
  }

  async commit(
    file: string,
    writer: string,
    blocks: readonly string[],
    replace: boolean,
    step: () => void = () => undefined,
  ): Promise<void> {
    await this.onDisk(file, async () => {
      const staging = this.stagingOf(file, writer);
      // A second worker may be doing the same.
      const whole = path.join(staging, `${WHOLE}-${randomUUID()}`);
      const out = await open(whole, 'w').catch(this.blocksGone(file));
      try {
        for (const block of blocks) {
          await out.appendFile(await readFile(path.join(staging, block)).catch(this.blocksGone(file)));
          step();
        }
        await out.sync();
      } finally {
        await out.close();
      }
      const target = this.pathOf(file);
      await mkdir(path.dirname(target), { recursive: true });
      if (replace) await rename(whole, target);
      else {
        await link(whole, target);
        await unlink(whole);
      }
      await keepNames(path.dirname(target), this.folder);
      await this.remove(staging);
    });
  }

  async discard(file: string, writer: string): Promise<void> {
    await this.onDisk(file, () => this.remove(this.stagingOf(file, writer)));
  }

  private blocksGone(file: string): (error: unknown) => never {
    return (error) => {
      throw codeOf(error) === 'ENOENT' ? new FileError('blocksGone', this.placeOf(file), error) : error;
    };
  }

  private async remove(staging: string): Promise<void> {
    await rm(staging, { recursive: true, force: true });
    // Others may be writing there.
    await rmdir(path.dirname(staging)).catch(() => undefined);
  }

  /** A folder that is not there may be a disk that is not: nothing is made in its place. */
  private async mustBeThere(): Promise<void> {
    const found = await stat(this.folder).catch(undefinedIfAbsent);
    if (found?.isDirectory() !== true) throw new FileError('noStore', this.name);
  }

  private pathOf(file: string): string {
    return path.join(this.folder, ...file.split('/'));
  }

  private stagingOf(file: string, writer: string): string {
    const folder = createHash('sha256').update(`${writer} ${file}`).digest('hex').slice(0, 32);
    return path.join(this.folder, STAGING, folder);
  }

  private placeOf(file: string): string {
    return `${this.name}/${file}`;
  }

  private async onDisk<T>(file: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      if (error instanceof FileError) throw error;
      throw new FileError(TROUBLES[codeOf(error)] ?? 'away', this.placeOf(file), error);
    }
  }
}

/**
 * Has the names in a folder, and in those above it up to another one, on the disk: else a file whose bytes are there is gone with the
 * machine's power. Where folders cannot be opened (Windows), the system does as it does.
 */
async function keepNames(folder: string, last: string): Promise<void> {
  const opened = await open(folder, 'r').catch(() => undefined);
  try {
    await opened?.sync();
  } catch (error) {
    if (!NO_SYNC.has(codeOf(error))) throw error;
  } finally {
    await opened?.close();
  }
  if (folder !== last && folder.startsWith(last)) await keepNames(path.dirname(folder), last);
}

/** Of file systems that know no such thing. */
const NO_SYNC: ReadonlySet<string> = new Set(['EINVAL', 'ENOTSUP', 'EPERM', 'EISDIR', 'EBADF']);

const TROUBLES: Readonly<Record<string, FileTrouble>> = {
  EACCES: 'refused',
  EPERM: 'refused',
  EROFS: 'refused',
  ENOENT: 'noFile',
  ENOTDIR: 'noStore',
  EEXIST: 'exists',
  EISDIR: 'exists',
  ENOSPC: 'full',
  EDQUOT: 'full',
};

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}

function undefinedIfAbsent(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error;
}

function versionOf({ ino, size, mtimeMs }: { ino: number; size: number; mtimeMs: number }): string {
  return `${ino} ${size} ${mtimeMs}`;
}
