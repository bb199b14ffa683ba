import type { z } from 'zod';
import type { RedisPort } from '../redis/redis-port';
import type { CommandName } from '../redis/rights';
import type { ConversionFacts } from './conversion-facts';
import type { Converter } from './converter';
import type { FileCounter } from './file-keys';

/** What a request says of one conversion: which converter, and its options. */
export interface ConversionOptions {
  readonly converter: string;
}

/** How both servers stand to each other, and what they allow. */
export interface Surroundings {
  /** Source and target are one server: keys are converted where they are. */
  readonly inPlace: boolean;
  /**
   * What is under the names on the target is the migration's own, and whatever changes on the source is converted anew: nothing there
   * is anybody else's, and nothing need be waited for.
   */
  readonly follows: boolean;
  /** For keys that the target has already. */
  readonly onConflict: 'replace' | 'skip';
  /** `scripts`: one script may touch any keys; otherwise only keys of one slot. */
  readonly source: { readonly scripts: boolean; readonly memoryUsage: boolean };
  readonly target: { readonly scripts: boolean };
}

/** For whoever asks only for names. */
export const NO_SERVERS: Surroundings = {
  inPlace: false,
  follows: false,
  onConflict: 'replace',
  source: { scripts: false, memoryUsage: false },
  target: { scripts: false },
};

/** What a converter counts with. */
export interface PrepareContext {
  /** The source's databases that are migrated. */
  readonly databases: readonly number[];
  /** Runs work on each server of one of them, again where the connection was lost. Throws what names the connection. */
  readonly onSource: <T>(database: number, work: (port: RedisPort) => Promise<T>) => Promise<readonly T[]>;
  /** Which keys the request selects. */
  readonly wants: (key: Buffer, type: string) => boolean;
  /** When counting must end, ms since 1970: it is for information, and somebody waits for the answer. */
  readonly until: number;
}

/** A kind of converters: everything that is known of it outside its folder. */
export interface ConverterKind<Options extends ConversionOptions = ConversionOptions> {
  readonly name: string;
  /** A strict object, whose `converter` is the name. */
  readonly options: z.ZodType<Options>;
  /** What the converter's scripts call on each side; in place one server is both. */
  readonly rights: { readonly source: readonly CommandName[]; readonly target: readonly CommandName[] };
  /**
   * Tries whether the converter's scripts may run on a side. Changes nothing.
   * @param named makes of a name that nobody has one that the user may touch
   * @returns the server's refusal. Throws what passes by itself
   */
  scriptRefusal(
    port: RedisPort,
    side: 'source' | 'target',
    named: (name: Buffer) => Buffer,
  ): Promise<string | undefined>;
  /** Counts what there is to be converted. Changes nothing. */
  prepare(options: Options, context: PrepareContext): Promise<ConversionFacts>;
  /**
   * Counts the same of a file, by names and types.
   * @param wants which keys the request selects
   * @param state what one before has counted
   * @throws z.ZodError where that cannot be read
   */
  counter(options: Options, wants: PrepareContext['wants'], state?: unknown): FileCounter;
  make(options: Options, surroundings: Surroundings): Converter;
  /**
   * What a plan warns of.
   * @param course whether the conversion is done in place, and whether values are compared, at once or in the end
   */
  warnings(options: Options, course: { readonly inPlace: boolean; readonly compares: boolean }): readonly string[];
  /** The field of a stored plan in which earlier versions kept the facts. */
  readonly formerField?: string;
}
