import type { Dice } from '../torture/dice';

/** Stands for a password in samples: no error may tell it. */
export const SECRET = 'S3cr3tS3cr3t';

/** A place where something comes in from outside. */
export interface Edge<T = unknown> {
  readonly name: string;
  /** What is taken there. */
  readonly samples: readonly T[];
  change(sample: T, other: T, dice: Dice): T;
  /**
   * Takes an input, and does with it what is done with one that is taken.
   * @throws one of the errors of `refusals`
   */
  take(input: T): unknown;
  /** The names of the errors that say, to whom it may concern, that an input is refused. */
  readonly refusals: readonly string[];
}

/** Keeps the type of an edge's inputs to itself. */
export function edge<T>(parts: Edge<T>): Edge {
  return parts;
}
