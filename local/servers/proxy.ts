import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP port on 127.0.0.1 in front of a server. */
export interface Proxy {
  readonly port: number;
  readonly url: string;
  /** Cuts all connections. */
  cut(): void;
  close(): Promise<void>;
}

/**
 * @param behind the server's port on 127.0.0.1, asked for anew for each connection
 * @param join is told of each connection with the one to the server behind; whichever ends, the other does, too
 */
export async function startProxy(
  behind: number | (() => number),
  join: (client: Socket, server: Socket) => void,
): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const listener = createServer((client) => {
    const server = connect(typeof behind === 'number' ? behind : behind(), '127.0.0.1');
    for (const socket of [client, server]) {
      sockets.add(socket);
      // Small pieces would each wait 40 ms for an acknowledgement.
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    join(client, server);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    cut,
    port,
    url: `redis://127.0.0.1:${port}`,
    close: async () => {
      cut();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}
