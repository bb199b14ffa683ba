import { Redis, type RedisOptions } from 'ioredis';
import { serverNames, type ServerName } from '../../local/servers/server-names';
import { startServer, type RunningServer, type StartOptions } from '../../local/servers/start-server';
import { BulkConnection } from '../../src/redis/bulk-connection';
import { RedisConnection } from '../../src/redis/connection';
import { readConnectionSettings } from '../../src/redis/connection-settings';

/** A running server, a client for the test's own commands, and connections as the app makes them. */
export interface TestServer {
  readonly name: ServerName;
  readonly server: RunningServer;
  readonly client: Redis;
  /** An open connection to one of its databases. */
  connect(database?: number): Promise<RedisConnection>;
  /** An open connection for writing in bulk to one of its databases. */
  bulk(database?: number): Promise<BulkConnection>;
  close(): Promise<void>;
}

/**
 * Starts a server with DEBUG allowed.
 * @param clientOptions how the test's own client behaves otherwise: it comes back 20 times within half a second
 */
export async function startTestServer(
  name: ServerName,
  options: StartOptions = {},
  clientOptions: Pick<RedisOptions, 'maxRetriesPerRequest' | 'protocol' | 'retryStrategy'> = {},
): Promise<TestServer> {
  // Redis 6.0 has DEBUG always, and does not know the option.
  const debug = name === 'redis-6.0' ? [] : ['--enable-debug-command', 'yes'];
  const server = await startServer(name, { ...options, args: [...debug, ...(options.args ?? [])] });
  const client = new Redis(server.url, {
    maxRetriesPerRequest: 20,
    retryStrategy: () => 20,
    ...(options.tls ? { tls: { rejectUnauthorized: false } } : {}),
    ...clientOptions,
  });
  client.on('error', () => undefined);
  const connections: (RedisConnection | BulkConnection)[] = [];
  const settings = readConnectionSettings('IT', { REDIS_IT: server.url });
  return {
    name,
    server,
    client,
    connect: async (database = 0) => {
      const connection = new RedisConnection(settings, database, 'keyferry-test');
      connections.push(connection);
      await connection.ready();
      return connection;
    },
    bulk: async (database = 0) => {
      const connection = new BulkConnection(settings, database, 'keyferry-test');
      connections.push(connection);
      await connection.ready();
      return connection;
    },
    close: async () => {
      for (const connection of connections) connection.close();
      client.disconnect();
      await server.kill();
    },
  };
}

/** Runs the tests on every server there is, started once for all of them. */
export function onEveryServer(
  tests: (it: () => TestServer) => void,
  optionsFor: (name: ServerName) => StartOptions = () => ({}),
): void {
  describe.each(serverNames)('on %s', (name) => {
    let running: TestServer;
    beforeAll(async () => {
      running = await startTestServer(name, optionsFor(name));
    }, 180_000);
    afterAll(async () => {
      await running.close();
    });
    tests(() => running);
  });
}
