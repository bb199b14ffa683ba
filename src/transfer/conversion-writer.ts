import type { ConvertContext, GroupOutcome } from '../convert/converter';
import type { KeyFinding } from '../migration/rows';
import { asksOf, RedisError } from '../redis/errors';
import type { Hindrance } from './hindrance';
import type { Claim } from './range-pages';
import type { Written } from './redis-sink';
import type { Attempt } from './side';

/** Has converters write what they have read. */
export class ConversionWriter {
  /** @param attempt on both sides, since a converter may read again */
  constructor(
    private readonly context: ConvertContext,
    private readonly attempt: Attempt,
    private readonly hindrance: Hindrance,
  ) {}

  /** Writes claims, and waits while the target has no room for them. @throws RedisError that will not pass, StoppedError */
  async write(claims: readonly Claim[]): Promise<Pick<Written, 'counts' | 'findings'>> {
    const counts = { converted: 0, expired: 0, skippedByConflict: 0, failed: 0, bytes: 0 };
    const findings: KeyFinding[] = [];
    for (const claim of claims) {
      for (const outcome of await this.writeClaim(claim)) {
        if (outcome.kind === 'converted') {
          counts.converted++;
          counts.bytes += outcome.bytes;
        } else if (outcome.kind === 'expired') counts.expired++;
        else if (outcome.kind === 'conflict') counts.skippedByConflict++;
        else {
          counts.failed++;
          findings.push({ key: outcome.key, code: outcome.code, message: outcome.message });
        }
      }
    }
    return { counts, findings };
  }

  private async writeClaim({ converter, groups }: Claim): Promise<readonly GroupOutcome[]> {
    for (;;) {
      try {
        const outcomes = await this.attempt(() => converter.write(groups, this.context));
        this.hindrance.over();
        return outcomes;
      } catch (error) {
        if (!(error instanceof RedisError) || asksOf(error) !== 'room') throw error;
        await this.hindrance.wait(error);
      }
    }
  }
}
