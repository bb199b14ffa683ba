import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

/** Ports of 127.0.0.1 that nobody listens on at this moment. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(
    servers.map(async (server) => {
      server.close();
      await once(server, 'close');
    }),
  );
  return ports;
}

/**
 * Looks whether a port of 127.0.0.1 can be had, before anything costly is started; 0 always can.
 * @throws Error that names the port when it is taken
 */
export async function checkPort(port: number): Promise<void> {
  const server = createServer();
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    throw portError(port, error);
  }
  server.close();
  await once(server, 'close');
}

/** What to say when listening on a port fails. */
export function portError(port: number, error: unknown): unknown {
  const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
  return taken ? new Error(`Port ${port} on 127.0.0.1 is taken. Choose another with --port.`) : error;
}
