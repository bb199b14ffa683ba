import type { Names } from '../convert/names';
import type { KeyFinding } from '../migration/rows';
import type { Ready, Withheld } from '../payload/payload-gate';
import { NOTHING_LOST, type Lost } from '../payload/reencode';
import type { RedisError } from '../redis/errors';
import { expiryByClock } from '../redis/expiry';
import type { Hindrance } from './hindrance';
import { findingsOfLost } from './lost-words';
import type { ReadKeys } from './page-reader';
import type { PageWriter, RestoreEntry } from './page-writer';
import type { Written } from './redis-sink';
import type { Attempt } from './side';

/** An entry with the name that its key has on the source, and what its value lost. */
interface PageEntry extends RestoreEntry {
  readonly sourceKey: Buffer;
  readonly lost: Lost;
}

/** Restores the payloads of pages. */
export class PayloadWriter {
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
   * @returns besides what became of them: keys whose payloads the target does not take, and how often some payload was sent at most
   * @throws RedisError that will not pass, StoppedError
   */
  async write(page: ReadKeys): Promise<Written & { readonly refused: readonly Buffer[]; readonly sent: number }> {
    const counts = { copied: 0, expired: 0, failed: 0, bytes: 0 };
    const findings: KeyFinding[] = [];
    const refused: Buffer[] = [];
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
      else if ('payload' in ready) {
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
      let sendings = 0;
      const refusals = await this.attempt(() => {
        sendings++;
        return this.writer.write(now);
      });
      sent = Math.max(sent, sendings);
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
    return { counts, findings, refused, taken, sent };
  }

  private targetExpiry(sourceExpiry: number): number {
    return sourceExpiry === 0 ? 0 : expiryByClock(sourceExpiry, this.clockOffset);
  }
}
