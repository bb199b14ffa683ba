import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** The way between the app and one server. It can be cut, held up and led to another server. */
export class TcpProxy {
  private readonly pairs = new Set<readonly [Socket, Socket]>();
  /** Nothing passes over them any more, and nobody says so. */
  private readonly stranded = new WeakSet<Socket>();
  private stalledUntil = 0;
  private refusedUntil = 0;
  /** The next connection that has something to say is cut inside of it. */
  private cutting = false;
  /** Every second connection leads there. */
  private other: number | undefined;
  private joined = 0;

  private constructor(
    private readonly server: Server,
    private upstream: number,
  ) {}

  /** @param upstream the server's port on 127.0.0.1 */
  static async start(upstream = 0): Promise<TcpProxy> {
    const server = createServer({ noDelay: true });
    const proxy = new TcpProxy(server, upstream);
    server.on('connection', (client) => {
      proxy.join(client);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** From now on connections lead to this port; those that are there are cut. */
  leadTo(port: number): void {
    this.upstream = port;
    this.cut();
  }

  /** From now on every second connection leads to another port. Those that are there are cut. */
  split(other: number): void {
    this.other = other;
    this.cut();
  }

  cut(): void {
    for (const [client, server] of this.pairs) {
      client.destroy();
      server.destroy();
    }
  }

  /** Cuts all connections as soon as one of them has sent a part of what it says next. */
  cutInside(): void {
    this.cutting = true;
  }

  /** Nothing passes for so long. Connections stay. */
  stall(ms: number): void {
    this.stalledUntil = Date.now() + ms;
    for (const pair of this.pairs) for (const socket of pair) this.holdUp(socket);
  }

  /** Nothing passes over the connections that there are, for ever; new ones are as they should be. */
  strand(): void {
    for (const pair of this.pairs) for (const socket of pair) this.stranded.add(socket.pause());
  }

  /** Cuts, and takes no connections for so long. */
  refuse(ms: number): void {
    this.refusedUntil = Date.now() + ms;
    this.cut();
  }

  /** As it was at the start: whatever was done to it. */
  heal(): void {
    this.stalledUntil = 0;
    this.refusedUntil = 0;
    this.cutting = false;
    this.other = undefined;
  }

  async close(): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }

  private join(client: Socket): void {
    if (Date.now() < this.refusedUntil) {
      client.destroy();
      return;
    }
    const server = connect({
      port: this.joined++ % 2 === 1 ? (this.other ?? this.upstream) : this.upstream,
      host: '127.0.0.1',
      noDelay: true,
    });
    const pair = [client, server] as const;
    this.pairs.add(pair);
    for (const [from, to] of [pair, [server, client]] as const) {
      from.on('error', () => undefined);
      from.on('close', () => {
        to.destroy();
        this.pairs.delete(pair);
      });
      from.on('data', (data: Buffer) => {
        this.pass(data, from, to);
      });
      from.on('end', () => to.end());
      if (Date.now() < this.stalledUntil) this.holdUp(from);
    }
  }

  private pass(data: Buffer, from: Socket, to: Socket): void {
    if (this.cutting && data.length > 40) {
      this.cutting = false;
      // What was written arrives before the end of the connection.
      to.end(data.subarray(0, Math.floor(Math.random() * data.length)));
      from.destroy();
      setImmediate(() => {
        this.cut();
      });
      return;
    }
    if (to.write(data)) return;
    from.pause();
    to.once('drain', () => {
      if (Date.now() >= this.stalledUntil && !this.stranded.has(from)) from.resume();
    });
  }

  private holdUp(socket: Socket): void {
    socket.pause();
    const wait = setInterval(() => {
      if (Date.now() < this.stalledUntil && !socket.destroyed) return;
      clearInterval(wait);
      if (!this.stranded.has(socket)) socket.resume();
    }, 20);
  }
}
