import { mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { findAnyServer, findServer } from '../../../local/servers/find-server';
import { identify } from '../../../local/servers/found-server';
import { installedServer, installServers } from '../../../local/servers/install-servers';
import { serverNames } from '../../../local/servers/server-names';

let folder: string;
const before = { path: process.env.PATH, named: process.env.REDIS_SERVER };

beforeAll(async () => {
  await installServers(serverNames);
  folder = await mkdtemp(join(tmpdir(), 'keyferry-find-'));
}, 600_000);
afterAll(() => rm(folder, { recursive: true, force: true }));
afterEach(() => {
  process.env.PATH = before.path;
  if (before.named === undefined) delete process.env.REDIS_SERVER;
  else process.env.REDIS_SERVER = before.named;
});

/** A program that says what a server of this version says; only its `--version` is ever asked for here. */
async function program(name: string, says: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, `#!/bin/sh\necho '${says}'\n`, { mode: 0o755 });
  return path;
}

test.each(serverNames)('%s is unpacked, runs, and is of that version', async (name) => {
  const server = await installedServer(name);
  expect(server?.origin).toBe('packages');
  const said = await identify(server!);
  expect(name).toBe(`${said.flavour}-${said.version.split('.').slice(0, 2).join('.')}`);
  expect(said.version).toBe(server?.version);
});

test('installing what is there does nothing', async () => {
  const lines: string[] = [];
  await installServers(serverNames, (line) => lines.push(line));
  expect(lines).toEqual([]);
});

test('where nothing can be unpacked one message says what to do, and nothing is left behind', async () => {
  process.env.PATH = '/nonexistent';
  const below = join(folder, 'none');
  await expect(installServers(['redis-6.0'], undefined, below)).rejects.toThrow(
    /redis-6\.0 could not be brought.*no apt-get or no dpkg\n[^]*Install a Redis[^]*REDIS_SERVER/,
  );
  expect(await readdir(below)).toEqual([]);
});

test('REDIS_SERVER is taken where its version fits, unpacked packages otherwise', async () => {
  process.env.PATH = '/nonexistent';
  process.env.REDIS_SERVER = await program('mine', 'Redis server v=6.0.20 sha=0');
  expect(await findServer('redis-6.0')).toMatchObject({ origin: 'REDIS_SERVER', version: '6.0.20' });
  expect(await findServer('redis-8.0')).toMatchObject({ origin: 'packages' });
  expect(await findAnyServer()).toMatchObject({ origin: 'REDIS_SERVER' });
});

test('a redis-server on the PATH is taken where its version fits', async () => {
  delete process.env.REDIS_SERVER;
  await symlink(await program('anything', 'Redis server v=7.0.99 sha=0'), join(folder, 'redis-server'));
  process.env.PATH = `${folder}:/bin`;
  expect(await findServer('redis-7.0')).toMatchObject({ origin: 'PATH', version: '7.0.99' });
  expect(await findServer('valkey-8.1')).toMatchObject({ origin: 'packages', flavour: 'valkey' });
});

test('a REDIS_SERVER that is none is an error that says so', async () => {
  process.env.REDIS_SERVER = '/nonexistent/redis';
  await expect(findServer('redis-7.0')).rejects.toThrow(/REDIS_SERVER is set to \/nonexistent\/redis.*ENOENT/);
  process.env.REDIS_SERVER = await program('other', 'something else 1.0');
  await expect(findAnyServer()).rejects.toThrow(/is no Redis or Valkey server: something else 1\.0/);
});
