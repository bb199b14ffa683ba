import { FileError } from '../files/file-error';
import { isRedisError, RedisError } from '../redis/errors';
import { pause, SourceChangedError, type StopSignal } from '../migration/stop';

/** The little of a connection that trying again needs. */
export interface Reopenable {
  /** That of the connection in the settings. */
  readonly name?: string;
  readonly runId: string | undefined;
  ready(): Promise<void>;
  /** Ends it, and what others have under way on it, with the error that is the reason. */
  close?(why: RedisError): void;
}

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 3_000;

/** Lost so often in the same work, one after the other, there may be more to it. */
const LOSSES_BY_CHANCE = 3;
const TOLD_OF_LOSSES =
  'It was lost several times in the same work: what is read or written there may be larger than the server takes at once (client-output-buffer-limit where it is read, proto-max-bulk-len where it is written).';

/** The delay before the n-th new try (from 0), ms: doubling, with a fifth of chance so that workers do not come together. */
export function backOff(tries: number, random: number = Math.random()): number {
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** tries) * (0.8 + 0.4 * random);
}

/** One server that a call needs. */
export interface AttemptSide {
  readonly connection: Reopenable;
  /** The server process that must answer; undefined where any may. */
  readonly runId: string | undefined;
}

export interface AttemptOptions {
  /** Every server that the call speaks to: each is open before each try. */
  readonly sides: readonly AttemptSide[];
  readonly stop: StopSignal;
  /** Told what holds the work up, and null when it goes on. */
  readonly onTrouble: (trouble: string | null) => void;
}

/**
 * Makes a call on open connections, and again, with growing delays, while what fails passes by itself.
 * @throws SourceChangedError, StoppedError, or the error that will not pass
 */
export async function attempt<T>({ sides, stop, onTrouble }: AttemptOptions, call: () => Promise<T>): Promise<T> {
  let losses = 0;
  for (let tries = 0; ; tries++) {
    stop.check();
    try {
      for (const { connection } of sides) if (connection.runId === undefined) await connection.ready();
      for (const { connection, runId } of sides) {
        if (runId !== undefined && connection.runId !== undefined && connection.runId !== runId) {
          throw new SourceChangedError(connection.runId);
        }
      }
      const result = await call();
      if (tries > 0) onTrouble(null);
      return result;
    } catch (error) {
      if (!(error instanceof RedisError || error instanceof FileError) || error.asks !== 'retry') throw error;
      losses = isRedisError(error, 'connectionLost') ? losses + 1 : 0;
      onTrouble(losses < LOSSES_BY_CHANCE ? error.message : `${error.message} ${TOLD_OF_LOSSES}`);
      // After a failover its name may lead to another server, which is the master.
      if (isRedisError(error, 'readOnly', 'masterDown')) {
        for (const { connection } of sides) if (connection.name === error.connection) connection.close?.(error);
      }
      await pause(backOff(tries), stop);
    }
  }
}
