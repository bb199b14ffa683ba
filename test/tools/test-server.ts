import { Redis } from 'ioredis';
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

export async function startTestServer(name: ServerName, options: StartOptions = {}): Promise<TestServer> {
  const server = await startServer(name, options);
  const client = new Redis(server.url, { maxRetriesPerRequest: 20, retryStrategy: () => 20 });
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
