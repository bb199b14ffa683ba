import { finalStates, type MigrationState } from '../src/migration/rows';

/** What the command tells the shell. */
export const exitCodes = { completed: 0, differences: 1, usage: 2, failed: 3 } as const;

/** The command was called in a way that cannot be carried out: exit code 2. */
export class UsageError extends Error {
  /** @param details further lines, one mistake each */
  constructor(
    message: string,
    readonly details: readonly string[] = [],
  ) {
    super(message);
    this.name = 'UsageError';
  }
}

/** What was asked for could not be done: exit code 3. */
export class TroubleError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TroubleError';
  }
}

/** The exit code for where a migration stands; one that still runs is no trouble. */
export function exitCodeOf(state: MigrationState): number {
  if (state === 'completedWithDifferences') return exitCodes.differences;
  return state === 'failed' || state === 'cancelled' ? exitCodes.failed : exitCodes.completed;
}

/** Whether a migration in this state goes no further. */
export function isEnded(state: MigrationState): boolean {
  return finalStates.includes(state);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Why standard output did not take all. */
let lost: Error | undefined;

/** Who reads the output may have gone (`| head`), and so may the terminal: that is no trouble. A full disk is. */
export function watchOutput(): void {
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') lost ??= error;
  });
}

/** Ends the process when all output is out: a pipe takes it later than a file. Where some of it is lost, it is no success. */
export function exitWhenWritten(code: number): void {
  process.exitCode = code;
  process.stdout.write('', () => {
    // Told after the last write has been answered.
    setImmediate(() => {
      const last = lost === undefined ? '' : `keyferry: standard output could not be written: ${lost.message}\n`;
      const ends = lost !== undefined && code === exitCodes.completed ? exitCodes.failed : code;
      process.stderr.write(last, () => process.exit(ends));
    });
  });
}
