import { spawn } from 'node:child_process';

/** What `runTool` may be told: environment variables on top of this process's, working folder, time limit in ms. */
export interface ToolOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
}

/**
 * Runs a program and returns its standard output as text.
 * @throws Error naming the program, how it ended and what it wrote to standard error; `code` is `ENOENT` where there is no such program.
 */
export function runTool(command: string, args: readonly string[], options: ToolOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    // Not spawn's own `timeout`, whose timer outlives a program that could not be started.
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 2 ** 31 - 1);
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) {
        resolve(Buffer.concat(out).toString());
        return;
      }
      const said = Buffer.concat(err).toString().trim();
      const end = signal === null ? `ended with code ${String(code)}` : `was ended by ${signal}`;
      reject(new Error(`${command} ${args[0] ?? ''} ${end}${said === '' ? '' : `:\n${said}`}`));
    });
  });
}
