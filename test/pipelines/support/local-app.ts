import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildCommand, root, Running } from '../../cli/support/command';

/** The built app in a process of its own, as `npm start` runs it. */
export interface LocalApp {
  readonly url: string;
  close(): Promise<void>;
}

export async function startLocalApp(settings: Readonly<Record<string, string>>): Promise<LocalApp> {
  await buildCommand();
  const data = mkdtempSync(path.join(tmpdir(), 'keyferry-pipeline-'));
  const running = new Running(
    spawn(process.execPath, [path.join(root, 'dist/local/main.js'), '--port', '0', '--app', root, '--data', data], {
      env: { ...process.env, ...settings },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
  for (const until = Date.now() + 60_000; !running.stdout.includes('Listening on');) {
    if (Date.now() > until || running.child.exitCode !== null) throw new Error(running.stderr + running.stdout);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url: /Listening on (\S+)/.exec(running.stdout)?.[1] ?? '',
    close: async () => {
      running.signal('SIGINT');
      await running.end();
      rmSync(data, { recursive: true, force: true });
    },
  };
}
