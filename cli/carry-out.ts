import { ApiError } from './client/api-error';
import type { Context } from './commands/context';
import { Display } from './display/display';
import { safeText } from '../src/basics/safe-text';
import { InterruptedError, Interruption } from './interruption';
import { exitCodes, messageOf, TroubleError, UsageError } from './outcome';
import { mistakeLine } from './request-body';

/** Does a command's work, tells what went wrong in words, and turns it into an exit code. */
export async function carryOut(work: (context: Context) => Promise<number>, verbose: boolean): Promise<number> {
  if (!verbose) process.removeAllListeners('warning');
  const display = new Display();
  const interruption = new Interruption(() => {
    display.stop();
  });
  try {
    return await work({ display, interruption });
  } catch (error) {
    return tell(error, display, interruption, verbose);
  } finally {
    display.stop();
  }
}

function tell(error: unknown, display: Display, interruption: Interruption, verbose: boolean): number {
  if (error instanceof InterruptedError) {
    display.note('Interrupted.');
    return interruption.exitCode;
  }
  if (error instanceof UsageError) {
    display.note([error.message, ...error.details.map((line) => `  ${line}`)].map((line) => safeText(line)).join('\n'));
    return exitCodes.usage;
  }
  if (error instanceof ApiError) {
    const details = error.details.map((mistake) => `  ${mistakeLine(mistake)}`);
    display.note([error.message, ...details].map((line) => safeText(line)).join('\n'));
    return error.status === 400 || error.status === 404 ? exitCodes.usage : exitCodes.failed;
  }
  const known = error instanceof TroubleError || (error instanceof Error && error.name === 'NoAnswerError');
  display.note(known || !verbose ? messageOf(error) : ((error as Error).stack ?? messageOf(error)));
  return exitCodes.failed;
}
