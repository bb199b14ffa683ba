import { ByteReader, EndsTooEarlyError } from './byte-reader';
import { take, type Step, type Steps } from './skip-value';

/** Goes over a value that is longer than what is in memory at once, piece by piece. */
export class LargeValue {
  private step: IteratorResult<Step, void>;
  private toPass = 0;

  constructor(private readonly steps: Steps) {
    this.step = this.steps.next(0);
  }

  get isOver(): boolean {
    return this.toPass === 0 && this.step.done === true;
  }

  /**
   * Goes on with the next bytes. What is left of them, a few at most while it is not over, must come again before others.
   * @returns how many of them it has gone over
   * @throws BadPayloadError
   */
  push(bytes: Buffer): number {
    const reader = new ByteReader(bytes, 0, bytes.length);
    for (;;) {
      if (this.toPass > 0) {
        const passed = Math.min(this.toPass, bytes.length - reader.at);
        reader.take(passed);
        this.toPass -= passed;
        if (this.toPass > 0) return reader.at;
      }
      if (this.step.done === true) return reader.at;
      const { value } = this.step;
      if (value >= 0) {
        this.toPass = value;
        this.step = this.steps.next(0);
        continue;
      }
      const before = reader.at;
      try {
        this.step = this.steps.next(take(reader, value));
      } catch (error) {
        if (error instanceof EndsTooEarlyError) return before;
        throw error;
      }
    }
  }
}
