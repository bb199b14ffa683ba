import { AppliedSample } from './applied-sample';
import type { Session } from './source-feed';

/** What a process knows of a source that it follows, beyond the end of a reader: what it had, to be held against what comes back. */
export class SourceMemory {
  private before: { readonly facts: Session; signedAt: number } | undefined;
  private readonly samples = new Map<number, AppliedSample>();
  private generation: number | undefined;

  /** The last session, and when the source gave its last sign in it, by the monotonic clock, ms. */
  get last(): Readonly<NonNullable<SourceMemory['before']>> | undefined {
    return this.before;
  }

  /** Of one database. */
  sampleOf(database: number): AppliedSample {
    const sample = this.samples.get(database) ?? new AppliedSample();
    this.samples.set(database, sample);
    return sample;
  }

  /** Another one follows here. Where one of another process did in between, what is known is from before that. */
  take(generation: number): void {
    if (generation === this.generation) return;
    if (this.generation !== undefined && generation !== this.generation + 1) {
      this.before = undefined;
      this.forget();
    }
    this.generation = generation;
  }

  /** What another reader of this process knew, where nothing is known here. */
  adopt(other: SourceMemory): void {
    if (this.before !== undefined) return;
    this.before = other.before;
    for (const [database, sample] of other.samples) this.sampleOf(database).adopt(sample);
  }

  begin(facts: Session): void {
    this.before = { facts, signedAt: performance.now() };
  }

  /** Begins with nothing. */
  beginAnew(facts: Session): void {
    this.forget();
    this.begin(facts);
  }

  /** The source is as it was when the session began. */
  sign(): void {
    if (this.before !== undefined) this.before.signedAt = performance.now();
  }

  /** What was applied before is not known to be so any more. */
  forget(): void {
    for (const sample of this.samples.values()) sample.clear();
  }
}
