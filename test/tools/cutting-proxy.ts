import { startProxy, type Proxy } from '../../local/servers/proxy';

/** A TCP port in front of a server that loses the replies to what it has passed on, once. */
export interface CuttingProxy extends Proxy {
  /** Whether the cut has been. */
  hasCut(): boolean;
}

/**
 * Passes everything on. The first connection that has sent more than `bytes` gets no further reply: the server does what it was
 * sent, and then the connection is cut.
 */
export async function startCuttingProxy(port: number, bytes: number): Promise<CuttingProxy> {
  let cut = false;
  const proxy = await startProxy(port, (client, server) => {
    let sent = 0;
    let mute = false;
    client.on('data', (chunk) => {
      sent += chunk.length;
      server.write(chunk);
      if (cut || sent <= bytes) return;
      cut = true;
      mute = true;
      setTimeout(() => client.destroy(), 200);
    });
    server.on('data', (chunk) => {
      if (!mute) client.write(chunk);
    });
  });
  return { ...proxy, hasCut: () => cut };
}
