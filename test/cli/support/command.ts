import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export const root = path.resolve(__dirname, '../../..');
const command = path.join(root, 'cli', 'keyferry.js');

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A call of the command that runs. */
export class Running {
  stdout = '';
  stderr = '';
  private readonly closed: Promise<unknown>;

  constructor(readonly child: ChildProcess) {
    child.stdout?.on('data', (data: Buffer) => {
      this.stdout += data.toString();
    });
    child.stderr?.on('data', (data: Buffer) => {
      this.stderr += data.toString();
    });
    this.closed = once(child, 'close');
  }

  async end(): Promise<Ended> {
    await this.closed;
    return { code: this.child.exitCode, stdout: this.stdout, stderr: this.stderr };
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** Waits until something stands on standard error. @returns its first group */
  async said(pattern: RegExp, ms = 60_000): Promise<string> {
    for (const until = Date.now() + ms; ; await new Promise((resolve) => setTimeout(resolve, 20))) {
      const match = pattern.exec(this.stderr);
      if (match !== null) return match[1] ?? match[0];
      if (this.child.exitCode !== null || Date.now() > until) {
        throw new Error(`Never said ${String(pattern)}:\n${this.stderr}\n${this.stdout}`);
      }
    }
  }
}

/** The command in a folder of its own, as users call it: the built one, which it builds first where the build is old. */
export class CommandFolder {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'keyferry-cli-'));

  start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
    return new Running(
      spawn(process.execPath, [command, ...args], {
        cwd: this.folder,
        env: { ...cleanEnvironment(), ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
  }

  async run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
    return await this.start(args, env).end();
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Without what would change how the command behaves. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(REDIS_|KEYFERRY_|npm_|AzureWebJobsStorage)/.test(name)),
  );
}

/** Has the command built before the first test's time counts. */
export async function buildCommand(): Promise<void> {
  const folder = new CommandFolder();
  const { code, stderr } = await folder.run(['--version']);
  folder.remove();
  if (code !== 0) throw new Error(stderr);
}
