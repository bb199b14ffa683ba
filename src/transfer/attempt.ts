import { describeConnectionError, errorKind } from '../redis/errors';
import { pause, SourceChangedError, type StopSignal } from '../migration/stop';

/** The little of a connection that trying again needs. */
export interface Reopenable {
  readonly runId: string | undefined;
  ready(): Promise<void>;
}

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 3_000;

/** The delay before the n-th new try (from 0), ms: doubling, with a fifth of chance so that workers do not come together. */
export function backOff(tries: number, random: number = Math.random()): number {
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** tries) * (0.8 + 0.4 * random);
}

/** One server that a call needs. */
export interface AttemptSide {
  readonly connection: Reopenable;
  /** The connection's name, for what is said of trouble. */
  readonly name: string;
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
  for (let tries = 0; ; tries++) {
    stop.check();
    let opening: AttemptSide | undefined;
    try {
      for (const side of sides) {
        opening = side;
        if (side.connection.runId === undefined) await side.connection.ready();
      }
      opening = undefined;
      for (const { connection, runId } of sides) {
        if (runId !== undefined && connection.runId !== undefined && connection.runId !== runId) {
          throw new SourceChangedError(connection.runId);
        }
      }
      const result = await call();
      if (tries > 0) onTrouble(null);
      return result;
    } catch (error) {
      if (error instanceof SourceChangedError || errorKind(error) !== 'retry') throw error;
      const troubled = opening ?? sides.find(({ connection }) => connection.runId === undefined) ?? sides[0];
      onTrouble(describeConnectionError(troubled?.name ?? '', error));
      await pause(backOff(tries), stop);
    }
  }
}
