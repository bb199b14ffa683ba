import path from 'node:path';
import { ensureServer } from '../../local/servers/find-server';
import { runTool } from '../../local/servers/run-tool';
import type { ServerName } from '../../local/servers/server-names';

/** Has a server's own tool (redis-check-rdb) read a file. @throws Error with its words where it finds fault with it */
export async function checkRdb(name: ServerName, file: string): Promise<void> {
  const { command, args, env } = await ensureServer(name);
  // The server is the last word of what starts it, behind a loader where it was unpacked.
  const words = [command, ...args];
  const server = words.pop() ?? '';
  const tool = path.join(path.dirname(server), path.basename(server).replace('-server', '-check-rdb'));
  const [first, ...rest] = [...words, tool];
  const said = await runTool(first, [...rest, file], { env, timeoutMs: 60_000 });
  if (!said.includes('RDB looks OK!')) throw new Error(`${file} is not clean:\n${said}`);
}
