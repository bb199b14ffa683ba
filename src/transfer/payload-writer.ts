import type { Names } from '../convert/names';
import type { KeyFinding } from '../migration/rows';
import type { Ready, Withheld } from '../payload/payload-gate';
import { NOTHING_LOST, type Lost } from '../payload/reencode';
import { StoppedError } from '../migration/stop';
import { isRedisError, RedisError } from '../redis/errors';
import { expiryByClock } from '../redis/expiry';
import type { Hindrance } from './hindrance';
import { findingsOfLost } from './lost-words';
import type { ReadKeys } from './page-reader';
import type { PageWriter, Refusal, RestoreEntry } from './page-writer';
import type { Written } from './redis-sink';
import type { Attempt } from './side';

/** An entry with the name that its key has on the source, and what its value lost. */
interface PageEntry extends RestoreEntry {
  readonly sourceKey: Buffer;
  readonly lost: Lost;
}

/** Losses of the connection in sending the same payloads before the large ones among them are given up. */
const LOSSES_TOGETHER = 2;
/** A payload of so few bytes is not what a connection is cut for. */
const SURELY_TAKEN = 16_384;

/** What became of a page's payloads. */
export interface WrittenPayloads extends Written {
  /** Keys whose payloads the target does not take. */
  readonly refused: readonly Buffer[];
  /** Keys whose payloads are larger than the target takes at once, or seems to take, and what it said. */
  readonly tooLong: readonly { readonly key: Buffer; readonly error: RedisError }[];
  /** How often some payload was sent at most. */
  readonly sent: number;
}

/** The work on a page had to stop before anything of it was sent. */
export class NothingSentError extends StoppedError {}

/** Restores the payloads of pages. */
export class PayloadWriter {
  /** Larger payloads are not sent: the connection was lost with some. */
  private most: { readonly bytes: number; readonly error: RedisError } | undefined;

  /**
   * @param prepare makes of a payload what the target takes for certain: nothing else is sent
   * @param clockOffset the target's clock minus the source's, ms
   */
  constructor(
    private readonly writer: PageWriter,
    private readonly prepare: (payload: Buffer) => Ready | 'by-commands' | Withheld,
    private readonly names: Pick<Names, 'onTarget'>,
    private readonly clockOffset: number,
    private readonly attempt: Attempt,
    private readonly hindrance: Hindrance,
  ) {}

  /**
   * Writes what of a page has payloads, and waits while the target cannot take them.
   * @throws RedisError that will not pass, StoppedError, NothingSentError
   */
  async write(page: ReadKeys): Promise<WrittenPayloads> {
    const counts = { copied: 0, expired: 0, failed: 0, bytes: 0 };
    const findings: KeyFinding[] = [];
    const refused: Buffer[] = [];
    const tooLong: { key: Buffer; error: RedisError }[] = [];
    const taken: Buffer[] = [];
    let sent = 0;
    let open: PageEntry[] = [];
    page.keys.forEach((sourceKey, i) => {
      const payload = page.payloads[i];
      if (payload === 'big') return;
      if (!Buffer.isBuffer(payload)) {
        counts.expired++;
        return;
      }
      const ready = this.prepare(payload);
      if (ready === 'by-commands') refused.push(sourceKey);
      else if ('payload' in ready && this.most !== undefined && ready.payload.length > this.most.bytes) {
        tooLong.push({ key: sourceKey, error: this.most.error });
      } else if ('payload' in ready) {
        // Field by field: spreading would cost more than all else that is done for a key.
        open.push({
          key: this.names.onTarget(sourceKey),
          expiry: this.targetExpiry(page.expiries[i] ?? 0),
          payload: ready.payload,
          lost: ready.lost,
          use: page.uses?.[i],
          sourceKey,
        });
      } else {
        counts.failed++;
        findings.push({ key: sourceKey, code: ready.code, message: ready.message });
      }
    });
    while (open.length > 0) {
      const now = open;
      const { result: refusals, sendings } = await this.send(now, sent === 0);
      sent = Math.max(sent, sendings);
      if (refusals instanceof RedisError) {
        const large = now.filter(isLarge);
        const largest = Math.max(...large.map(({ payload }) => payload.length));
        this.most = { bytes: largest - 1, error: refusals };
        tooLong.push(...large.map(({ sourceKey: key }) => ({ key, error: refusals })));
        open = now.filter((entry) => !isLarge(entry));
        continue;
      }
      const places = new Map(refusals.map((refusal) => [refusal.index, refusal]));
      const again: PageEntry[] = [];
      let hindered: RedisError | undefined;
      now.forEach((entry, i) => {
        const refusal = places.get(i);
        if (refusal === undefined) {
          counts.copied++;
          counts.bytes += entry.payload.length;
          if (entry.lost !== NOTHING_LOST) findings.push(...findingsOfLost(entry.sourceKey, entry.lost));
        } else if (refusal.kind === 'expired') counts.expired++;
        else if (refusal.kind === 'keyExists') taken.push(entry.sourceKey);
        else if (refusal.kind === 'payloadUnreadable' || refusal.kind === 'payloadVersion')
          refused.push(entry.sourceKey);
        else if (refusal.kind === 'valueTooLong') tooLong.push({ key: entry.sourceKey, error: refusal.error });
        else if (refusal.error.asks === 'key') {
          counts.failed++;
          findings.push({ key: entry.sourceKey, code: 'restore-refused', message: refusal.error.message });
        } else if (refusal.error.asks === 'stop') throw refusal.error;
        else {
          hindered = refusal.error;
          again.push(entry);
        }
      });
      open = again;
      if (hindered === undefined) this.hindrance.over();
      else await this.hindrance.wait(hindered);
    }
    return { counts, findings, refused, tooLong, taken, sent };
  }

  /**
   * Sends payloads together. Where the connection is lost with them again and again, as with a server, or a proxy, that ends it for a
   * command that is larger than it takes (proto-max-bulk-len), gives an error that says so.
   */
  private async send(
    entries: readonly PageEntry[],
    isFirst: boolean,
  ): Promise<{ result: readonly Refusal[] | RedisError; sendings: number }> {
    let lost: RedisError | undefined;
    let losses = 0;
    let sendings = 0;
    const mayBeTooLong = entries.some(isLarge);
    const result = await this.attempt(async () => {
      if (lost !== undefined && losses >= LOSSES_TOGETHER && mayBeTooLong) {
        return new RedisError('valueTooLong', lost.connection, { cause: lost });
      }
      sendings++;
      try {
        const refusals = await this.writer.write(entries);
        // The connection leads to a replica: what was written is written once more by way of another.
        const readOnly = refusals.find((refusal) => refusal.kind === 'readOnly');
        if (readOnly !== undefined && readOnly.kind !== 'expired') throw readOnly.error;
        return refusals;
      } catch (error) {
        if (isRedisError(error, 'valueTooLong') && mayBeTooLong) return error;
        if (isRedisError(error, 'connectionLost')) {
          lost = error;
          losses++;
        }
        throw error;
      }
    }).catch((error: unknown) => {
      if (isFirst && sendings === 0 && error instanceof StoppedError) throw new NothingSentError(error.reason);
      throw error;
    });
    return { result, sendings };
  }

  private targetExpiry(sourceExpiry: number): number {
    return sourceExpiry === 0 ? 0 : expiryByClock(sourceExpiry, this.clockOffset);
  }
}

function isLarge({ payload }: PageEntry): boolean {
  return payload.length > SURELY_TAKEN;
}
