import type { App } from '../app/app';
import type { Names } from '../convert/names';
import type { StopSignal } from '../migration/stop';
import { BadPayloadError } from '../payload/byte-reader';
import { typeNameOf } from '../payload/type-names';
import type { FileOrigin } from '../range/file-origin';
import type { KeyNotes } from '../range/page-place';
import { answersFor } from '../transfer/file-port';
import { NotInPiecesError } from '../transfer/file-stream/exact';
import { asNumber } from '../transfer/by-commands/replies';
import type { ReadKeys } from '../transfer/page-reader';
import type { Pair } from './examine';
import { knownValue, unknownValue, type KnownValue } from './known-value';
import { IncomparableError, largeValue, memoryOfLarge } from './large-file-value';

const MIB = 1_048_576;

/** What the keys of a file are, out of pages as they were read. */
export class FileValues {
  /**
   * @param now the clock that expiries are told by, ms since 1970
   * @param notes where it is kept how far large keys were read, and what they are then
   */
  constructor(
    private readonly file: Pick<FileOrigin, 'attempt' | 'largeOf' | 'port' | 'readerOfWhole' | 'release'>,
    private readonly now: () => number,
    private readonly app: Pick<App, 'budget' | 'settings'>,
    private readonly stop: StopSignal,
    private readonly notes: KeyNotes,
  ) {}

  /** Nothing is to be known any more of how far the reading of a key got. */
  forget(key: Buffer): void {
    this.notes.set(key, undefined);
  }

  /** Pairs of a page's keys with what they are, as they will be compared; of some of them where that is said. */
  async pairs(
    { keys, payloads, expiries }: ReadKeys,
    names: Pick<Names, 'onTarget'>,
    wanted: (key: Buffer) => boolean = () => true,
  ): Promise<Pair[]> {
    const pairs: Pair[] = [];
    for (const [i, key] of keys.entries()) {
      if (!wanted(key)) continue;
      const payload = payloads[i];
      const known = Buffer.isBuffer(payload)
        ? knownValue(payload, expiries[i] ?? 0, this.now)
        : await this.large(key, expiries[i] ?? 0);
      pairs.push({ source: key, target: names.onTarget(key), known });
    }
    return pairs;
  }

  private async large(key: Buffer, expiry: number): Promise<KnownValue> {
    const { file, app, now } = this;
    const { type = 0, bytes = 0 } = file.largeOf(key) ?? {};
    const most = app.settings.bytesInFlight;
    if (bytes > most) return await this.inPieces(key, type, expiry);
    await app.budget.until(this.stop).chunks.take(bytes);
    try {
      const [payload] = (await file.attempt(() => file.readerOfWhole.read([key]))).payloads;
      if (!Buffer.isBuffer(payload)) throw new Error('A large key of the file was not read whole.');
      return knownValue(payload, expiry, now);
    } finally {
      app.budget.chunks.give(bytes);
    }
  }

  /** What is larger than the memory that there is. */
  private async inPieces(key: Buffer, typeByte: number, expiry: number): Promise<KnownValue> {
    const { file, app, now, stop } = this;
    const notes = {
      get: () => this.notes.get(key),
      set: (note: unknown) => {
        this.notes.set(key, note);
      },
    };
    const type = typeNameOf(typeByte);
    const memory = memoryOfLarge(typeByte);
    await app.budget.until(stop).chunks.take(memory);
    const goOn = () => {
      stop.check();
    };
    try {
      if (!answersFor(typeByte)) throw new IncomparableError(`values of type ${type} are compared only whole`);
      return await file.attempt(async () => {
        // Of what an attempt that failed has open nothing is gone on with.
        file.release(key);
        // Whoever names keys alone does not say when they expire.
        const ends = Math.max(0, asNumber(await file.port.call('PEXPIRETIME', key)));
        return await largeValue({ port: file.port, key, type, expiry: ends, now, goOn, notes });
      });
    } catch (error) {
      // A value that no server writes.
      if (error instanceof Error && error.cause instanceof BadPayloadError) {
        return unknownValue(type, expiry, now, `${error.message.replace(/\.$/, '')}: it cannot be compared`);
      }
      if (error instanceof NotInPiecesError)
        return unknownValue(type, expiry, now, `${error.message} It cannot be compared`);
      if (!(error instanceof IncomparableError)) throw error;
      const most = Math.floor(app.settings.bytesInFlight / MIB);
      const why = `It has more than ${most} MiB, the most that is read of a file at once (KEYFERRY_MEMORY_MIB), and ${error.message}: its value cannot be compared`;
      return unknownValue(type, expiry, now, why);
    } finally {
      file.release(key);
      app.budget.chunks.give(memory);
    }
  }
}
