import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { generate } from 'selfsigned';
import { startCluster, TLS_OFFSET } from '../../local/servers/start-cluster';
import { certificateNames, placesOf } from '../../src/redis/node-ways';
import { mappedNode, parseNodeMap } from '../../src/redis/node-map';
import { readConnectionSettings } from '../../src/redis/connection-settings';
import { Connections } from '../../src/redis/connections';
import type { RedisError } from '../../src/redis/errors';
import type { Command } from '../../src/redis/redis-port';
import { startProxy, type Proxy } from '../../local/servers/proxy';
import { startTestCluster, type TestCluster } from '../tools/test-cluster';
import { startTestServer } from '../tools/test-server';

describe('where a node is looked for', () => {
  const seed = (text: string, nodes?: string) =>
    readConnectionSettings('C', { REDIS_C: text, ...(nodes === undefined ? {} : { REDIS_C__nodes: nodes }) });
  const texts = (...args: Parameters<typeof placesOf>) => placesOf(...args).map(({ host, port }) => `${host}:${port}`);

  it('as it announces itself, at the host of the connection, and on ports as far off as the one that is known', () => {
    const amr = seed('rediss://cache.example:10000');
    expect(texts({ host: '10.0.2.4', port: 8_500 }, amr, 0)).toEqual(['10.0.2.4:8500', 'cache.example:8500']);
    const node = { host: '10.0.2.4', port: 6_379, otherHosts: ['node-1.example'] };
    expect(texts(node, seed('rediss://cache.example:6380'), 1)).toEqual([
      ...['10.0.2.4:6379', 'node-1.example:6379', 'cache.example:6379'],
      ...['10.0.2.4:6380', 'node-1.example:6380', 'cache.example:6380'],
    ]);
    expect(texts({ host: 'h', port: 7 }, seed('redis://h:7'), 1)).toEqual(['h:7']);
  });

  it('nowhere but where the settings say, where they say it', () => {
    const map = seed('redis://h', '10.0.2.4:8500=[::1]:9001; 10.0.2.5=b.example, *:6379=*:6380');
    expect(texts({ host: '10.0.2.4', port: 8_500 }, map, 9)).toEqual(['::1:9001']);
    expect(texts({ host: '10.0.2.5', port: 8_501 }, map, 9)).toEqual(['b.example:8501']);
    expect(texts({ host: 'any', port: 6_379 }, map, 9)).toEqual(['any:6380']);
    expect(texts({ host: '10.0.2.4', port: 8_501 }, map, 0)).toEqual(['10.0.2.4:8501', 'h:8501']);
    expect(mappedNode(parseNodeMap('')!, { host: 'h', port: 1 })).toBeUndefined();
  });

  it.each(['10.0.2.4', 'a=b=c', 'a=b:0', 'a=b:99999', '=b', 'a*=b', 'a=/b'])('%j is no map', (text) => {
    expect(() => seed('redis://h', text)).toThrow(/REDIS_C__nodes is no list of nodes/);
  });

  it('under the name of the connection, its own, or the one that is set, in its certificate', () => {
    const tls = seed('rediss://cache.example:6380');
    expect(certificateNames({ host: '10.0.2.4', port: 1 }, tls)).toEqual(['cache.example', undefined]);
    expect(certificateNames({ host: 'node.example', port: 1 }, tls)).toEqual([undefined, 'cache.example']);
    expect(certificateNames({ host: '10.0.2.4', port: 1 }, seed('rediss://10.0.0.1:1'))).toEqual([undefined]);
    expect(certificateNames({ host: 'n', port: 1 }, seed('h:1,ssl=True,sslHost=x'))).toEqual(['x']);
  });
});

describe('a cluster whose nodes announce addresses that lead elsewhere', () => {
  let cluster: TestCluster;
  let connections: Connections | undefined;
  let proxies: Proxy[] = [];

  beforeAll(async () => {
    cluster = await startTestCluster('redis-7.0');
  });
  afterEach(async () => {
    connections?.close();
    await Promise.all(proxies.map((proxy) => proxy.close()));
  });
  afterAll(() => cluster.close());

  /** Puts a proxy before each node, which has it announce another address; texts keep their lengths. @param second the port of the second one, its proxy's where left out */
  const announce = async (ip: string, second?: number) => {
    const joined = new Set<number>();
    const announced = (i: number) => (i === 1 ? second : undefined) ?? proxies[i]!.port;
    proxies = await Promise.all(
      cluster.nodes.map((node, i) =>
        startProxy(node.port, (client, server) => {
          joined.add(i);
          client.pipe(server);
          server.on('data', (data: Buffer) => {
            let text = data.toString('latin1').replaceAll('127.0.0.1', ip);
            for (const [place, { port }] of cluster.nodes.entries()) {
              text = text.replaceAll(String(port), String(announced(place)));
            }
            client.write(text, 'latin1');
          });
        }),
      ),
    );
    return joined;
  };
  const connect = async (nodes?: string) => {
    const settings = { REDIS_C: proxies[0]!.url, ...(nodes === undefined ? {} : { REDIS_C__nodes: nodes }) };
    connections = new Connections(settings, 'test');
    const port = connections.get('C', 0);
    await port.ready();
    return port;
  };
  const keys = Array.from({ length: 500 }, (_, i) => `key:${i}`);

  it('is reached at the host of the connection', async () => {
    await announce('192.0.2.1');
    const port = await connect();
    await port.pipeline(keys.map((key): Command => ['SET', key, key]));
    expect(await cluster.keys()).toBe(500);
    expect((await port.nodes()).map(({ address, via }) => `${address} ${via}`)).toEqual(
      proxies.map((proxy) => `192.0.2.1:${proxy.port} 127.0.0.1:${proxy.port}`),
    );
    const values = await port.pipeline(keys.map((key): Command => ['GET', key]));
    expect(values.map(String)).toEqual(keys);
  });

  it('is reached where the settings say', async () => {
    const joined = await announce('192.0.2.1');
    const map = cluster.nodes.map((node, i) => `192.0.2.1:${proxies[i]!.port}=127.0.0.1:${node.port}`);
    const port = await connect(map.join(','));
    const values = await port.pipeline(keys.map((key): Command => ['GET', key]));
    expect(values.map(String)).toEqual(keys);
    expect([...joined]).toEqual([0]);
  });

  it('and is not taken for another server that listens there', async () => {
    const other = await startTestServer('redis-7.0');
    await announce('127.0.0.1', other.server.port);
    const port = await connect();
    const troubles = (await port.nodes()).map(({ trouble }) => trouble?.kind);
    expect(troubles).toEqual([undefined, 'nodeUnreachable', undefined]);
    const refused = await Promise.allSettled(keys.map(async (key) => await port.call('SET', key, 'other')));
    const kinds = refused.map((each) => (each.status === 'rejected' ? (each.reason as RedisError).kind : 'written'));
    expect(new Set(kinds)).toEqual(new Set(['nodeUnreachable', 'written']));
    expect(await other.client.dbsize()).toBe(0);
    await other.close();
  });

  it('and is not written to where its address has become that of another server since', async () => {
    const other = await startTestServer('redis-7.0');
    const [first, node] = cluster.nodes;
    let behind = node!.port;
    const proxy = await startProxy(
      () => behind,
      (client, server) => {
        client.pipe(server);
        server.pipe(client);
      },
    );
    proxies = [proxy];
    const map = `*:${node!.port}=127.0.0.1:${proxy.port}`;
    connections = new Connections({ REDIS_C: first!.url, REDIS_C__nodes: map }, 'test');
    const port = connections.get('C', 0);
    await port.ready();
    const address = { host: '127.0.0.1', port: node!.port };
    await port.cluster.lane(address);
    behind = other.server.port;
    await expect(port.cluster.bulk(address)).rejects.toMatchObject({ kind: 'nodeUnreachable', asks: 'retry' });
    behind = node!.port;
    await expect(port.cluster.bulk(address)).resolves.toBeDefined();
    behind = other.server.port;
    const way = { name: 'C', database: 0, kind: 'valueTooLong', memory: 'held' } as const;
    const alone = connections.alone(way, async ({ nodes }) => await nodes!.bulk(address));
    await expect(alone).rejects.toMatchObject({ kind: 'nodeUnreachable' });
    await other.close();
  });
});

/** Connects in a process of its own, whose trust is set at its start; writes and reads, and prints how nodes are reached. */
const CHILD = `
const { Connections } = require('./src/redis/connections.ts');
const connections = new Connections(process.env, 'tls');
const port = connections.get('IT', 0);
const keys = Array.from({ length: 100 }, (_, i) => 'key:' + i);
(async () => {
  await port.ready();
  await port.pipeline(keys.map((key) => ['SET', key, key]));
  const values = await port.pipeline(keys.map((key) => ['GET', key]));
  const right = values.filter((value, i) => String(value) === keys[i]).length;
  console.log(JSON.stringify([right, await port.nodes()]));
})().catch((error) => console.log(JSON.stringify(error.kind))).finally(() => connections.close());
`;

describe.each(['redis-6.0', 'redis-7.0', 'redis-8.0'] as const)('%s with one certificate for all nodes', (name) => {
  it('is reached under the name of the connection, and where it announces plain ports beside those', async () => {
    const root = path.join(__dirname, '../..');
    const folder = await mkdtemp(path.join(tmpdir(), 'keyferry-tls-'));
    const made = await generate([{ name: 'commonName', value: 'localhost' }], {
      keySize: 2048,
      algorithm: 'sha256',
      extensions: [
        { name: 'basicConstraints', cA: true },
        { name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] },
      ],
    });
    const [cert, key] = [path.join(folder, 'cert.pem'), path.join(folder, 'key.pem')];
    await Promise.all([writeFile(cert, made.cert), writeFile(key, made.private)]);
    const cluster = await startCluster(name, { tlsBeside: { cert, key } });
    try {
      const [first] = cluster.nodes;
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['-r', path.join(root, 'test/local/support/ts-hook.js'), '-e', CHILD],
        {
          cwd: root,
          env: {
            ...process.env,
            NODE_EXTRA_CA_CERTS: cert,
            REDIS_IT: `rediss://localhost:${first!.port + TLS_OFFSET}`,
          },
        },
      );
      const [right, nodes] = JSON.parse(stdout) as [number, { address: string; via?: string }[]];
      expect(right).toBe(100);
      expect(nodes.map(({ address, via }) => (via ?? address).split(':')[1])).toEqual(
        cluster.nodes.map(({ port }) => String(port + TLS_OFFSET)),
      );
    } finally {
      await cluster.kill();
      await rm(folder, { recursive: true });
    }
  });
});
