import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

import { askPing } from './answer';
import type { FoundServer } from './found-server';

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** One life of a server, from start to end. */
export interface ServerProcess {
  readonly pid: number;
  /** The last lines that the server wrote. */
  lastWords(): string;
  /** Sends the signal and waits until the process is gone. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Resolves when the process is gone, whoever ended it. */
  readonly gone: Promise<void>;
}

/**
 * Starts a server and waits until it has loaded its data and answers PING. Its log must go to its standard output.
 * @throws Error with the server's last lines where it ends, or is not ready within `timeoutMs`.
 */
export async function launch(
  server: FoundServer,
  args: readonly string[],
  at: { port: number; tls: boolean },
  timeoutMs: number,
): Promise<ServerProcess> {
  const [command, ...rest] = [...dieWithParent(), server.command, ...server.args, ...args];
  const child = spawn(command ?? server.command, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...server.env },
  });
  const words: string[] = [];
  let [ended, listening] = [false, false];
  const hear = (chunk: Buffer): void => {
    const text = chunk.toString();
    // An answer alone does not say that it comes from this server: its port may belong to another one.
    listening ||= text.includes('Ready to accept connections');
    words.push(...text.split('\n'));
    words.splice(0, words.length - 30);
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  running.add(child);
  const gone = new Promise<void>((resolve) => {
    const finish = (): void => {
      ended = true;
      running.delete(child);
      resolve();
    };
    child.once('close', finish);
    child.once('error', (error) => {
      words.push(error.message);
      finish();
    });
  });
  const lastWords = (): string => words.join('\n').trim();
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    if (!ended) child.kill(signal);
    await gone;
  };
  const deadline = Date.now() + timeoutMs;
  for (let wait = 5; ; wait = Math.min(wait * 1.5, 200)) {
    if (ended) throw new Error(`The server on port ${at.port} ended before it answered:\n${lastWords()}`);
    const answer = listening ? await askPing(at.port, at.tls) : undefined;
    if (answer === '+PONG' || answer?.startsWith('-NOAUTH')) break;
    if (Date.now() > deadline) {
      await end('SIGKILL');
      throw new Error(`The server on port ${at.port} was not ready after ${timeoutMs} ms:\n${lastWords()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
  return { pid: child.pid ?? 0, lastWords, end, gone };
}

/** On Linux a server ends with this process even when that is killed outright, where util-linux has the tool for it. */
function dieWithParent(): string[] {
  const tool = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path));
  return process.platform === 'linux' && tool !== undefined ? [tool, '--pdeathsig', 'KILL', '--'] : [];
}
