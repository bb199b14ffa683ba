import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const living = new Set<OwnProcess>();
process.on('exit', () => {
  for (const one of living) one.signal('SIGKILL');
});

const mostWords = 4 << 20;

/** A Node process that ends with this one, also where this one is killed outright (on Linux). */
export class OwnProcess {
  /** What it has written, the last megabytes. */
  words = '';
  private readonly gone: Promise<unknown>;

  private constructor(private readonly child: ChildProcess) {
    living.add(this);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (data: Buffer) => {
        this.words += data.toString();
        if (this.words.length > 2 * mostWords) this.words = this.words.slice(-mostWords);
      });
    }
    this.gone = once(child, 'close').finally(() => living.delete(this));
  }

  /** @param shiftMs by how much its clock is off */
  static start(args: readonly string[], env: NodeJS.ProcessEnv, shiftMs = 0): OwnProcess {
    const clock = shiftMs === 0 ? [] : ['--require', path.join(__dirname, '../torture/shift-clock.js')];
    const [command = '', ...rest] = [...dieWithParent(), process.execPath, ...clock, ...args];
    const shifted = { ...env, CLOCK_SHIFT_MS: String(shiftMs) };
    return new OwnProcess(spawn(command, rest, { env: shifted, stdio: ['ignore', 'pipe', 'pipe'] }));
  }

  /** Null while it runs, and where a signal ended it. */
  get exitCode(): number | null {
    return this.child.exitCode;
  }

  /** Where it listens, as the local app says; undefined where it ends before. @throws Error after a minute */
  async listening(): Promise<string | undefined> {
    const end = Date.now() + 60_000;
    for (;;) {
      const url = /Listening on (\S+)/.exec(this.words)?.[1];
      if (url !== undefined) return url;
      if (this.hasEnded) {
        await this.gone;
        return undefined;
      }
      if (Date.now() > end) throw new Error(`It does not listen:\n${this.words}`);
      await sleep(25);
    }
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  signal(name: NodeJS.Signals): void {
    if (!this.hasEnded) this.child.kill(name);
  }

  /** Sends the signal and waits until it is gone; after 15 s it is killed. */
  async end(name: NodeJS.Signals): Promise<void> {
    this.signal(name);
    const timer = setTimeout(() => {
      this.signal('SIGKILL');
    }, 15_000);
    await this.gone;
    clearTimeout(timer);
  }
}

function dieWithParent(): string[] {
  const tool = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path));
  return process.platform === 'linux' && tool !== undefined ? [tool, '--pdeathsig', 'KILL', '--'] : [];
}
