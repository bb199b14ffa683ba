import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP port in front of a server that loses the replies to what it has passed on, once. */
export interface CuttingProxy {
  readonly url: string;
  /** Whether the cut has been. */
  hasCut(): boolean;
  close(): void;
}

/**
 * Passes everything on. The first connection that has sent more than `bytes` gets no further reply: the server does what it was
 * sent, and then the connection is cut.
 */
export async function startCuttingProxy(port: number, bytes: number): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  let cut = false;
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    let sent = 0;
    let mute = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (chunk) => {
      sent += chunk.length;
      upstream.write(chunk);
      if (cut || sent <= bytes) return;
      cut = true;
      mute = true;
      setTimeout(() => client.destroy(), 200);
    });
    upstream.on('data', (chunk) => {
      if (!mute) client.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hasCut: () => cut,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
