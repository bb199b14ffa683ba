import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { generate } from 'selfsigned';
import { cutOff, endSilent } from '../../src/redis/end-silent';

const limits = { everyMs: 20, silentMs: 200 };

/** A socket to a server of the test's own, which does with each connection as it is told. */
async function between(serve: (socket: Socket) => void, work: (socket: Socket) => Promise<void>): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => undefined).resume();
  try {
    await new Promise((resolve) => socket.once('connect', resolve));
    await work(socket);
  } finally {
    socket.destroy();
    server.close();
  }
}

const closed = (socket: Socket) =>
  new Promise<void>((resolve) =>
    socket.once('close', () => {
      resolve();
    }),
  );

it('a server that says nothing is given up, also after a time without questions, and while more is asked', async () => {
  await between(
    (server) => server.resume(),
    async (socket) => {
      let owes = false;
      endSilent(socket, () => owes, limits);
      await sleep(400);
      expect(socket.destroyed).toBe(false);
      owes = true;
      socket.write('question');
      await closed(socket);
    },
  );
  // A server that is stopped takes what fits into the system's buffers, and no more.
  await between(
    (server) => server.pause(),
    async (socket) => {
      endSilent(socket, () => true, limits);
      const asking = setInterval(() => socket.write(Buffer.alloc(1_000_000)), 10);
      await closed(socket);
      clearInterval(asking);
    },
  );
});

it('one that answers, or that takes a long piece little by little, is not', async () => {
  await between(
    (server) => {
      const answering = setInterval(() => server.write('x'), 50);
      server.once('close', () => {
        clearInterval(answering);
      });
    },
    async (socket) => {
      endSilent(socket, () => true, limits);
      await sleep(600);
      expect(socket.destroyed).toBe(false);
    },
  );
  await between(
    (server) => {
      server.pause();
      const taking = setInterval(() => {
        server.read();
      }, 5);
      server.once('close', () => {
        clearInterval(taking);
      });
    },
    async (socket) => {
      endSilent(socket, () => true, { everyMs: 20, silentMs: 600 });
      const isWritten = new Promise((resolve) => socket.write(Buffer.alloc(60_000_000), resolve));
      await Promise.race([isWritten, sleep(2_000)]);
      expect(socket.writableLength).toBeGreaterThan(0);
      expect(socket.destroyed).toBe(false);
    },
  );
});

it('one that nobody uses is ended where that is asked for', async () => {
  await between(
    (server) => server.resume(),
    async (socket) => {
      endSilent(socket, () => false, { ...limits, idleMs: 200 });
      const using = setInterval(() => socket.write('x'), 50);
      await sleep(500);
      expect(socket.destroyed).toBe(false);
      clearInterval(using);
      await closed(socket);
    },
  );
});

/** How a connection ends for its server once it has read on, which reads nothing for a while. */
async function endFor(way: 'plain' | 'tls', end: (socket: Socket) => void): Promise<{ error: string; bytes: number }> {
  const seen = { error: '', bytes: 0 };
  let server: Socket | undefined;
  const serve = (accepted: Socket) => {
    server = accepted.pause();
    accepted.on('error', ({ message }) => (seen.error = message));
    accepted.on('data', ({ length }) => (seen.bytes += length));
  };
  const work = async (socket: Socket) => {
    const over = closed(socket);
    socket.write(Buffer.alloc(30_000_000));
    await sleep(200);
    end(socket);
    await over;
    const serverOver = server && closed(server);
    server?.resume();
    await serverOver;
  };
  await (way === 'tls' ? betweenByTls : between)(serve, work);
  return seen;
}

async function betweenByTls(serve: (socket: Socket) => void, work: (socket: Socket) => Promise<void>): Promise<void> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], { algorithm: 'sha256' });
  const server = createTlsServer({ cert, key }, serve);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false });
  socket.on('error', () => undefined);
  try {
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    await work(socket);
  } finally {
    socket.destroy();
    server.close();
  }
}

it.each(['plain', 'tls'] as const)(
  'what the system has not sent of a connection that is cut off is never sent: %s',
  async (way) => {
    const ended = await endFor(way, (socket) => socket.destroy());
    const cut = await endFor(way, cutOff);
    expect(cut.error).toContain('ECONNRESET');
    expect(cut.bytes).toBeLessThan(ended.bytes);
  },
);
