import type { Argument, Command, RedisPort } from '../redis/redis-port';
import { runScript, scripts } from '../redis/scripts';

/** One key to be restored. */
export interface RestoreEntry {
  readonly key: Buffer;
  /** Absolute expiry in ms of the target's clock; 0: none. */
  readonly expiry: number;
  readonly payload: Buffer;
}

/** Why an entry was not written. `EXPIRED` as the message: its time came on the way. */
export interface Refusal {
  /** Its place in what was to be written. */
  readonly index: number;
  readonly message: string;
}

export interface WriteResult {
  readonly refusals: readonly Refusal[];
  readonly micros: number;
}

/** Restores pages into one database of the target. Throws the server's error for the whole page, or the connection's. */
export interface PageWriter {
  write(entries: readonly RestoreEntry[]): Promise<WriteResult>;
}

export interface WriteOptions {
  readonly replace: boolean;
  /** RESTORE … ABSTTL is there (from 5.0). */
  readonly absoluteExpiry: boolean;
}

const EXPIRED = 'EXPIRED';

/** One script call a page. */
export class ScriptPageWriter implements PageWriter {
  constructor(
    private readonly port: RedisPort,
    private readonly options: WriteOptions,
  ) {}

  async write(entries: readonly RestoreEntry[]): Promise<WriteResult> {
    const keys = new Array<Buffer>(entries.length);
    const args = new Array<Argument>(2 + 2 * entries.length);
    args[0] = this.options.replace ? 'REPLACE' : 'KEEP';
    args[1] = this.options.absoluteExpiry ? 'ABSTTL' : 'TTL';
    entries.forEach(({ key, expiry, payload }, i) => {
      keys[i] = key;
      args[2 + 2 * i] = String(expiry);
      args[3 + 2 * i] = payload;
    });
    const reply = await runScript(this.port, scripts.restore, keys, args);
    if (!Array.isArray(reply)) throw new Error('The server answered in an unexpected form.');
    const refusals: Refusal[] = [];
    for (let i = 1; i < reply.length; i += 2) {
      refusals.push({ index: Number(reply[i]) - 1, message: String(reply[i + 1]) });
    }
    return { refusals, micros: Number(reply[0]) };
  }
}

/** A pipeline of RESTORE: where the server allows no scripts over several keys. */
export class PipelinePageWriter implements PageWriter {
  /** @param targetNow the target's clock at this moment, in ms since 1970 */
  constructor(
    private readonly port: RedisPort,
    private readonly options: WriteOptions,
    private readonly targetNow: () => number,
  ) {}

  async write(entries: readonly RestoreEntry[]): Promise<WriteResult> {
    const now = Math.round(this.targetNow());
    const commands: Command[] = [];
    const places: number[] = [];
    const refusals: Refusal[] = [];
    entries.forEach((entry, index) => {
      if (entry.expiry !== 0 && entry.expiry <= now) {
        refusals.push({ index, message: EXPIRED });
      } else {
        commands.push(this.restore(entry, now));
        places.push(index);
      }
    });
    const started = performance.now();
    const replies = await this.port.pipeline(commands);
    replies.forEach((reply, i) => {
      if (reply instanceof Error) refusals.push({ index: places[i] ?? 0, message: reply.message });
    });
    return { refusals, micros: (performance.now() - started) * 1_000 };
  }

  private restore({ key, expiry, payload }: RestoreEntry, now: number): Command {
    const { replace, absoluteExpiry } = this.options;
    const command: [string, ...Argument[]] = ['RESTORE', key];
    if (expiry === 0) command.push('0', payload);
    else command.push(String(absoluteExpiry ? expiry : expiry - now), payload);
    if (replace) command.push('REPLACE');
    if (absoluteExpiry && expiry !== 0) command.push('ABSTTL');
    return command;
  }
}
