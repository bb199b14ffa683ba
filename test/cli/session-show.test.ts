import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { useTestServers } from '../tools/redis-servers';

const run = promisify(execFile);
const command = path.resolve('dist/cli/main.js');

/** What the command prints on standard output, and how it ends. */
async function show(...args: string[]): Promise<{ code: number; output: string }> {
  try {
    const { stdout } = await run(process.execPath, [command, 'session', 'show', ...args]);
    return { code: 0, output: stdout };
  } catch (error) {
    const { code, stdout } = error as { code: number; stdout: string };
    return { code, output: stdout };
  }
}

describe('keyferry session show', () => {
  const servers = useTestServers();

  it('prints a session of the Redis 4 snapshot as a table or as JSON, and says when there is none', async () => {
    const server = await servers.startWithSnapshot('redis-7.0');
    const client = servers.client(server, 0);
    let cursor = '0';
    let key: string | undefined;
    do {
      const [next, names] = await client.scan(cursor, 'MATCH', '{*}_Data', 'COUNT', 1_000);
      cursor = next;
      key ??= names[0];
    } while (key === undefined && cursor !== '0');
    const given = ['--source', server.url, '--key', key ?? ''];
    const table = await show(...given);
    expect(table.code).toBe(0);
    expect(table.output).toMatch(/\.NET type[\s\S]*version 4, \d+ items, timeout \d+ s, expires in \d+ s/);
    const json = await show(...given, '--json');
    expect(JSON.parse(json.output)).toMatchObject({ version: 4, locked: false });
    expect((await show('--source', server.url, '--key', '{/None_0}_Data')).code).toBe(1);
    expect((await show('--source', server.url, '--key', '%', '--base64')).code).toBe(2);
    expect((await show('--source', 'redis://127.0.0.1:1', '--key', '{/None_0}_Data')).code).toBe(3);
  });
});
