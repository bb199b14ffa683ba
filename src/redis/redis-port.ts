import type { EncodedCommands } from './encoded-command';
import type { RedisError } from './errors';

/** What one sends to Redis: bytes, or text that is ASCII by construction (command words, numbers). */
export type Argument = Buffer | string;

/** What Redis answers (RESP2), strings as bytes. Error replies are thrown, or stand as a RedisError in a pipeline's place. */
export type Reply = Buffer | number | null | Reply[];

/** One command with its arguments. */
export type Command = readonly [name: string, ...args: Argument[]];

/**
 * The few calls that transfer, conversion and verification need of one database of one Redis server.
 * Implementations never queue while disconnected and never resend by themselves.
 */
export interface RedisPort {
  /** Sends one command. @throws RedisError for an error reply, or for the connection */
  call(...command: Command): Promise<Reply>;
  /** Sends all commands in one write. A refused command gives a RedisError in its place; a lost connection throws one. */
  pipeline(commands: readonly Command[]): Promise<(Reply | RedisError)[]>;
  /** The keys that one server has, by their places, for what several answers of one moment are needed. All, where it is missing. */
  byServer?(keys: readonly Buffer[]): readonly (readonly number[])[];
}

/** The keys that one server has, by their places, whether a port tells servers apart or not. */
export function keysByServer(port: RedisPort, keys: readonly Buffer[]): readonly (readonly number[])[] {
  return port.byServer?.(keys) ?? [keys.map((_, place) => place)];
}

/** A connection for commands whose replies say nothing but OK or why not, in large numbers. */
export interface StatusPort {
  /** Sends all at once, and lets go of them. Gives the refusals by the commands' places; a lost connection throws. */
  sendAll(commands: EncodedCommands): Promise<ReadonlyMap<number, RedisError>>;
}

/** The same where each command is about one key, and may belong to another server than the next one. */
export interface KeyedPort {
  /**
   * Sends one command for each key. Gives the refusals by the keys' places; a lost connection throws.
   * @param encode the commands at these places, or all; called again for those that are sent on
   */
  sendKeyed(
    keys: readonly Buffer[],
    encode: (places?: readonly number[]) => EncodedCommands,
  ): Promise<ReadonlyMap<number, RedisError>>;
}
