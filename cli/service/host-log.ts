import { createWriteStream } from 'node:fs';
import type { Logger } from '../../local/logger';

/** The local app's log in a file, and on standard error too for those who want to see it. */
export function fileLogger(file: string, verbose: boolean, show: (line: string) => void): Logger & { end(): void } {
  const stream = createWriteStream(file, { flags: 'a', mode: 0o600 });
  stream.on('error', () => undefined);
  const line = (mark: string, message: string): void => {
    const text = `[${new Date().toISOString()}] ${mark}${message}`;
    stream.write(`${text}\n`);
    if (verbose) show(text);
  };
  return {
    verbose,
    debug: (message) => {
      if (verbose) line('', message);
    },
    info: (message) => {
      line('', message);
    },
    warn: (message) => {
      line('warning: ', message);
    },
    error: (message) => {
      line('error: ', message);
    },
    end: () => {
      stream.end();
    },
  };
}
