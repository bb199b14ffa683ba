import { renameSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

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
  private due = false;

  /** @param file where the leases are kept; undefined keeps none */
  constructor(private readonly file: string | undefined) {}

  /** Notes a lease, new or renewed; written at the end of the present tick, once for a whole batch. */
  held(queue: string, messageId: string, receipt: string): void {
    this.leases.set(messageId, { queue, messageId, receipt });
    if (this.due) return;
    this.due = true;
    queueMicrotask(() => {
      this.due = false;
      this.write();
    });
  }

  /** Takes a lease out. The file follows with the next batch: to give back what is gone does no harm. */
  ended(messageId: string): void {
    this.leases.delete(messageId);
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

  /** Writes the file. Synchronous, because the next thing to happen may be the end of the process. */
  write(): void {
    if (this.file === undefined) return;
    try {
      writeFileSync(`${this.file}.new`, JSON.stringify([...this.leases.values()]));
      renameSync(`${this.file}.new`, this.file);
    } catch {
      // Only a hint.
    }
  }
}
