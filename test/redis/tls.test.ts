import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { generate } from 'selfsigned';
import { startServer, type RunningServer } from '../../local/servers/start-server';
import { RedisConnection } from '../../src/redis/connection';
import { readConnectionSettings } from '../../src/redis/connection-settings';

/** Connects in a process of its own, whose trust is set at its start, and prints what came of it. */
const CHILD = `
const { RedisConnection } = require('./src/redis/connection.ts');
const { readConnectionSettings } = require('./src/redis/connection-settings.ts');
const connection = new RedisConnection(readConnectionSettings('IT', process.env), 0, 'tls');
connection.ready().then(() => connection.call('PING')).then(String, (error) => error.cause?.code ?? error.message)
  .then((said) => { console.log(said); connection.close(); });
`;
const root = path.join(__dirname, '../..');

describe('a server that speaks TLS with a certificate of an own authority', () => {
  let folder: string;
  let cert: string;
  let server: RunningServer;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'keyferry-tls-'));
    const made = await generate([{ name: 'commonName', value: 'localhost' }], {
      keySize: 2048,
      algorithm: 'sha256',
      extensions: [
        { name: 'basicConstraints', cA: true },
        {
          name: 'subjectAltName',
          altNames: [
            { type: 2, value: 'localhost' },
            { type: 7, ip: '127.0.0.1' },
          ],
        },
      ],
    });
    cert = path.join(folder, 'cert.pem');
    const key = path.join(folder, 'key.pem');
    await Promise.all([writeFile(cert, made.cert), writeFile(key, made.private)]);
    server = await startServer('redis-7.0', { tls: { cert, key } });
  });
  afterAll(async () => {
    await server.kill();
    await rm(folder, { recursive: true });
  });

  const inChild = async (host: string, trust: Record<string, string>) => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['-r', path.join(root, 'test/local/support/ts-hook.js'), '-e', CHILD],
      { cwd: root, env: { ...process.env, REDIS_IT: `rediss://${host}:${server.port}`, ...trust } },
    );
    return stdout.trim();
  };

  it('is refused, in words that name the reason and not the host', async () => {
    const settings = readConnectionSettings('IT', { REDIS_IT: `rediss://127.0.0.1:${server.port}` });
    const error: unknown = await new RedisConnection(settings, 0, 'tls').ready().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ kind: 'certificate', asks: 'stop' });
    expect(String(error)).toMatch(/certificate cannot be verified \([A-Z_]+\)/);
    expect(String(error)).not.toContain('127.0.0.1');
  });

  it('is accepted, by name and by address, where the authority is trusted', async () => {
    const [name, address] = await Promise.all([
      inChild('localhost', { NODE_EXTRA_CA_CERTS: cert }),
      inChild('127.0.0.1', { NODE_EXTRA_CA_CERTS: cert }),
    ]);
    expect([name, address]).toEqual(['PONG', 'PONG']);
  });

  it('is accepted under another name where the connection says that it is the one in the certificate', async () => {
    const setting = `127.0.0.2:${server.port},ssl=True,sslHost=localhost`;
    expect(await inChild('127.0.0.2', { NODE_EXTRA_CA_CERTS: cert, REDIS_IT: setting })).toMatch(/PONG|ECONNREFUSED/);
    const right = `127.0.0.1:${server.port},ssl=True,sslHost=localhost`;
    expect(await inChild('127.0.0.1', { NODE_EXTRA_CA_CERTS: cert, REDIS_IT: right })).toBe('PONG');
    const wrong = `127.0.0.1:${server.port},ssl=True,sslHost=elsewhere`;
    expect(await inChild('127.0.0.1', { NODE_EXTRA_CA_CERTS: cert, REDIS_IT: wrong })).toBe(
      'ERR_TLS_CERT_ALTNAME_INVALID',
    );
  }, 60_000);

  it('is refused under a name that is not in the certificate, trusted or not', async () => {
    expect(await inChild('127.0.0.2', { NODE_EXTRA_CA_CERTS: cert })).toMatch(
      /ERR_TLS_CERT_ALTNAME_INVALID|ECONNREFUSED/,
    );
  });

  it('is not spoken to in plain text, and says so', async () => {
    const settings = readConnectionSettings('IT', { REDIS_IT: `redis://127.0.0.1:${server.port}` });
    const error: unknown = await new RedisConnection(settings, 0, 'tls').ready().catch((reason: unknown) => reason);
    expect(String(error)).toMatch(/closed the connection; is this a TLS port|whether this is a TLS port/);
  });
});

it('a server that answers in plain text is refused where TLS is asked for', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end('-ERR Protocol error\r\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const settings = readConnectionSettings('IT', { REDIS_IT: `rediss://127.0.0.1:${port}` });
  const error: unknown = await new RedisConnection(settings, 0, 'tls').ready().catch((reason: unknown) => reason);
  expect(String(error)).toMatch(/does not speak TLS on this port/);
  expect(error).toMatchObject({ kind: 'notTls', asks: 'stop' });
  server.close();
});
