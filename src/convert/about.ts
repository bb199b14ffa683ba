import type { RedisPort } from '../redis/redis-port';
import type { ConverterFindings } from './converter-findings';

/** A value for eyes. */
export interface ShownValue {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What else is to be said of it, in a few words each. */
  readonly facts: readonly string[];
  /** All of it, for programs. */
  readonly document: unknown;
}

/** A value that cannot be shown; the message says why. */
export class UnreadableValueError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UnreadableValueError';
  }
}

/** A command `keyferry <command> show` that shows one value, of either form. */
export interface ShowCommand {
  readonly command: string;
  readonly about: string;
  readonly show: string;
  /** Which key is to be given. */
  readonly key: string;
  /** Said where there is none. */
  readonly none: string;
  /** Undefined where there is none. Throws UnreadableValueError, the server's error, or the connection's. */
  readonly read: (port: RedisPort, key: Buffer) => Promise<ShownValue | undefined>;
}

/** A converter in words. */
export interface About {
  readonly name: string;
  /** In a few words, what is converted. */
  readonly summary: string;
  /** As an object with some of its options, JSON. */
  readonly example: string;
  /** What it says of keys that it does not convert. */
  readonly findings: ConverterFindings;
  readonly show?: ShowCommand;
}
