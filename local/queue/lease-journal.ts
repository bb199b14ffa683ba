import { readFile, rename, writeFile } from 'node:fs/promises';

interface Lease {
  queue: string;
  messageId: string;
  receipt: string;
}

/**
 * Which messages this host holds, kept in a file: when the process is killed, the next one can give its messages back
 * at once, instead of waiting until their leases have run out. Only a hint: what is missing or out of date here
 * comes back by itself when its lease ends.
 */
export class LeaseJournal {
  private readonly leases = new Map<string, Lease>();
  private writing: Promise<void> | undefined;
  private dirty = false;

  /** @param file where the leases are kept; undefined keeps none */
  constructor(private readonly file: string | undefined) {}

  held(queue: string, messageId: string, receipt: string): void {
    this.leases.set(messageId, { queue, messageId, receipt });
    this.changed();
  }

  ended(messageId: string): void {
    this.leases.delete(messageId);
    this.changed();
  }

  /** The leases that an earlier process has left in the file. */
  async leftBehind(): Promise<Lease[]> {
    if (this.file === undefined) return [];
    try {
      return JSON.parse(await readFile(this.file, 'utf8')) as Lease[];
    } catch {
      return [];
    }
  }

  /** Resolves when the file is up to date. */
  async flush(): Promise<void> {
    while (this.writing) await this.writing;
  }

  private changed(): void {
    this.dirty = true;
    this.writing ??= this.write();
  }

  private async write(): Promise<void> {
    try {
      while (this.dirty) {
        // One write for everything that changes in a short while.
        await new Promise((resolve) => setTimeout(resolve, 20));
        this.dirty = false;
        if (this.file === undefined) return;
        const text = JSON.stringify([...this.leases.values()]);
        await writeFile(`${this.file}.new`, text);
        await rename(`${this.file}.new`, this.file);
      }
    } catch {
      // Only a hint.
    } finally {
      this.writing = undefined;
    }
  }
}
