import { safeLines } from '../src/basics/safe-text';

/** Where the host's own lines and the functions' log lines go. One line a call, without a newline at its end. */
export interface Logger {
  /** True when `debug` lines are shown; lets callers skip building lines nobody reads. */
  readonly verbose: boolean;
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/**
 * A logger for people at a terminal: the time of day in UTC before each line, warnings and errors marked.
 * @param options.verbose also show `debug` lines, among them what functions log at information level
 * @param options.stream where the lines go; standard error by default, so that standard output stays free for results
 */
export function createConsoleLogger(
  options: { verbose?: boolean; stream?: { write(text: string): unknown } } = {},
): Logger {
  const verbose = options.verbose ?? false;
  const stream = options.stream ?? process.stderr;
  const line = (mark: string, message: string) =>
    stream.write(`[${new Date().toISOString().slice(11, 23)}] ${mark}${safeLines(message)}\n`);
  return {
    verbose,
    debug: (message) => {
      if (verbose) line('', message);
    },
    info: (message) => line('', message),
    warn: (message) => line('warning: ', message),
    error: (message) => line('error: ', message),
  };
}
