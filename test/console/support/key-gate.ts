import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Stands before an app and asks for a function key where Azure would: everywhere but on what is for everybody. */
export interface KeyGate {
  readonly url: string;
  close(): Promise<void>;
}

const forEverybody = /^\/api\/(console(\/[^/]*)?|openapi\.json)$/;

export async function startKeyGate(app: string, key: string): Promise<KeyGate> {
  const server = createServer((incoming, outgoing) => {
    const { pathname } = new URL(incoming.url ?? '/', app);
    if (!forEverybody.test(pathname) && incoming.headers['x-functions-key'] !== key) {
      outgoing.writeHead(401).end();
      return;
    }
    const { method, headers } = incoming;
    const onward = forward(new URL(incoming.url ?? '/', app), { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}
