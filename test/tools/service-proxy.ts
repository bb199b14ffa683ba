import { randomInt } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { startProxy, type Proxy } from '../../local/servers/proxy';

/** What a proxy hides of the server behind it, and does in its own way. */
export interface Hidden {
  /** Sections that INFO leaves out, by their heads in small letters; `INFO <section>` then gives nothing. */
  readonly sections?: readonly string[];
  /** `INFO keyspace` tells the section that plain INFO leaves out. */
  readonly keyspaceApart?: boolean;
  /** Fields that INFO leaves out. */
  readonly fields?: readonly string[];
  /** Commands that are refused, in small letters: "select", "cluster countkeysinslot". */
  readonly commands?: readonly string[];
  /** Scripts that have one of these words in their text are refused. */
  readonly scriptWords?: readonly string[];
  /** SCAN's cursors are numbers of the proxy's own, which mean something on this endpoint or on this connection alone. */
  readonly cursors?: 'endpoint' | 'connection';
  /** After so many SCANs that go on from one of its cursors, the endpoint forgets all that it has given, once. */
  readonly forgetsAfter?: number;
  /** Ports of nodes as they are announced instead, in replies of CLUSTER and where a key is sent on. */
  readonly ports?: ReadonlyMap<number, number>;
  /** Scripts run on this server instead, by its port on 127.0.0.1: of several behind one endpoint they see one. */
  readonly scriptsAt?: number;
}

/** A server in front of a Redis server on 127.0.0.1 that hides some of what it tells, as services behind proxies do. */
export async function startServiceProxy(behind: number, hidden: Hidden): Promise<Proxy> {
  const ofEndpoint = new Cursors(hidden.forgetsAfter);
  return await startProxy(behind, (client, redis) => {
    passOn(client, redis, hidden, hidden.cursors === 'connection' ? new Cursors() : ofEndpoint);
  });
}

/** One in front of each node of a cluster, which know each other by the proxies' ports. The first one's URL leads to it. */
export async function startServiceProxies(
  nodes: readonly number[],
  hiddenOf: (place: number) => Omit<Hidden, 'ports'>,
): Promise<{ readonly url: string; readonly proxies: readonly Proxy[]; close(): Promise<void> }> {
  const ports = new Map<number, number>();
  const proxies: Proxy[] = [];
  for (const [place, node] of nodes.entries()) {
    const proxy = await startServiceProxy(node, { ...hiddenOf(place), ports });
    ports.set(node, proxy.port);
    proxies.push(proxy);
  }
  const close = async () => {
    await Promise.all(proxies.map((proxy) => proxy.close()));
  };
  return { url: proxies[0]?.url ?? '', proxies, close };
}

/** The servers' cursors by those that were given in their place. */
class Cursors {
  private readonly given = new Map<string, string>();

  constructor(private left = Infinity) {}

  set(given: string, own: string): void {
    this.given.set(given, own);
  }

  has(given: string): boolean {
    if (this.left-- === 0) this.given.clear();
    return this.given.has(given);
  }

  get(given: string): string | undefined {
    return this.given.get(given);
  }
}

/** What becomes of a command's reply. */
type Answer = 'as it is' | 'plain info' | 'info section' | 'cursor' | 'nodes' | { readonly refusal: string };

/** A command that a client waits for, and what it is told once that is there. */
interface Asked {
  readonly answer: Answer;
  told?: Buffer | string;
}

function passOn(client: Socket, redis: Socket, hidden: Hidden, cursors: Cursors): void {
  /** In the order in which the client asked. */
  const asked: Asked[] = [];
  const tell = () => {
    for (let [first] = asked; first?.told !== undefined; [first] = asked) {
      client.write(first.told);
      asked.shift();
    }
  };
  const answered = (server: Socket): Asked[] => {
    const waiting: Asked[] = [];
    let bytes: Buffer = Buffer.alloc(0);
    server.on('data', (more) => {
      bytes = Buffer.concat([bytes, more]);
      for (let end = endOfValue(bytes, 0); end !== undefined; end = endOfValue(bytes, 0)) {
        const one = waiting.shift();
        if (one !== undefined) one.told = changed(bytes.subarray(0, end), one.answer, hidden, cursors);
        bytes = bytes.subarray(end);
      }
      tell();
    });
    return waiting;
  };
  const ofRedis = answered(redis);
  const other =
    hidden.scriptsAt === undefined ? undefined : connect({ port: hidden.scriptsAt, host: '127.0.0.1', noDelay: true });
  const ofOther = other && answered(other);
  client.on('close', () => other?.destroy());
  let bytes: Buffer = Buffer.alloc(0);
  client.on('data', (more) => {
    bytes = Buffer.concat([bytes, more]);
    for (let end = endOfValue(bytes, 0); end !== undefined; end = endOfValue(bytes, 0)) {
      const command = bytes.subarray(0, end);
      bytes = bytes.subarray(end);
      const [name = '', argument] = wordsOf(command);
      const refusal = refusalOf(command, name, argument, hidden) ?? wrongCursor(name, argument, hidden, cursors);
      const refused = refusal !== undefined;
      const one: Asked = { answer: refusal === undefined ? answerTo(name, argument, hidden) : { refusal } };
      asked.push(one);
      if (other !== undefined && (name === 'eval' || name === 'evalsha')) {
        ofOther?.push(one);
        other.write(command);
        continue;
      }
      ofRedis.push(one);
      // In the place of what is refused goes a command that changes nothing, so that replies keep their order.
      redis.write(refused ? '*1\r\n$4\r\nPING\r\n' : one.answer === 'cursor' ? withCursor(command, cursors) : command);
    }
  });
}

function refusalOf(command: Buffer, name: string, argument: string | undefined, hidden: Hidden): string | undefined {
  const { commands = [], scriptWords = [] } = hidden;
  if (commands.includes(name) || commands.includes(`${name} ${argument ?? ''}`)) {
    return `-ERR unknown command '${name}'\r\n`;
  }
  const isScript = name === 'eval' && scriptWords.some((word) => command.includes(word));
  return isScript ? '-ERR Unknown Redis command called from script\r\n' : undefined;
}

function wrongCursor(name: string, cursor = '0', hidden: Hidden, cursors: Cursors): string | undefined {
  const isWrong = name === 'scan' && hidden.cursors !== undefined && cursor !== '0' && !cursors.has(cursor);
  return isWrong ? '-ERR invalid cursor\r\n' : undefined;
}

function answerTo(name: string, argument: string | undefined, hidden: Hidden): Answer {
  if (name === 'scan' && hidden.cursors !== undefined) return 'cursor';
  if (name === 'cluster' && hidden.ports !== undefined) return 'nodes';
  if (name !== 'info') return 'as it is';
  return argument === undefined ? 'plain info' : 'info section';
}

/** A SCAN with the server's own cursor in place of the proxy's. */
function withCursor(command: Buffer, cursors: Cursors): Buffer {
  const [head, first, name, , cursor = '0', ...rest] = command.toString('latin1').split('\r\n');
  const own = cursors.get(cursor) ?? cursor;
  return Buffer.from([head, first, name, `$${own.length}`, own, ...rest].join('\r\n'), 'latin1');
}

/** The reply of a SCAN with a cursor of the proxy's in place of the server's. */
function withProxyCursor(reply: Buffer, cursors: Cursors): Buffer {
  const [head, , own = '0', ...rest] = reply.toString('latin1').split('\r\n');
  const given = own === '0' ? own : String(randomInt(2 ** 47)) + String(randomInt(10_000));
  if (own !== '0') cursors.set(given, own);
  return Buffer.from([head, `$${given.length}`, given, ...rest].join('\r\n'), 'latin1');
}

/** A reply with other ports of nodes, of as many digits. */
function withPorts(reply: Buffer, ports: ReadonlyMap<number, number>): Buffer {
  return Buffer.from(
    reply.toString('latin1').replace(/:(\d{5})(?=\r|@|,| )/g, (told, port: string) => {
      const other = ports.get(Number(port));
      return other === undefined ? told : `:${other}`;
    }),
    'latin1',
  );
}

function changed(reply: Buffer, answer: Answer, hidden: Hidden, cursors: Cursors): Buffer | string {
  const isError = reply[0] === 0x2d;
  if (hidden.ports !== undefined && (answer === 'nodes' || isError) && typeof answer !== 'object') {
    return withPorts(reply, hidden.ports);
  }
  if (answer === 'cursor' && !isError) return withProxyCursor(reply, cursors);
  if (answer === 'as it is' || answer === 'cursor' || answer === 'nodes' || reply[0] !== 0x24)
    return typeof answer === 'object' ? answer.refusal : reply;
  if (typeof answer === 'object') return answer.refusal;
  const text = reply.subarray(reply.indexOf('\r\n') + 2, -2).toString('latin1');
  const sections = text.split(/(?=^# )/m).filter((section) => {
    const head = /^# (\w+)/.exec(section)?.[1]?.toLowerCase() ?? '';
    if (head === 'keyspace' && hidden.keyspaceApart === true && answer === 'info section') return true;
    return hidden.sections?.includes(head) !== true;
  });
  const lines = sections.join('').split('\r\n');
  const kept = lines.filter((line) => hidden.fields?.includes(line.split(':')[0] ?? '') !== true).join('\r\n');
  return Buffer.from(`$${kept.length}\r\n${kept}\r\n`, 'latin1');
}

/** Where the RESP2 value at `start` ends; undefined while not all of it is there. */
function endOfValue(bytes: Buffer, start: number): number | undefined {
  const line = bytes.indexOf('\r\n', start);
  if (line < 0) return undefined;
  const type = String.fromCharCode(bytes[start] ?? 0);
  const length = Number(bytes.subarray(start + 1, line).toString('latin1'));
  let end = line + 2;
  if (type === '$' && length >= 0) end += length + 2;
  if (type === '*') {
    for (let i = 0; i < length; i++) {
      const next = endOfValue(bytes, end);
      if (next === undefined) return undefined;
      end = next;
    }
  }
  return end <= bytes.length ? end : undefined;
}

/** The first two words of a command in small letters. */
function wordsOf(command: Buffer): string[] {
  const words: string[] = [];
  for (let at = command.indexOf('$'); at >= 0 && words.length < 2;) {
    const line = command.indexOf('\r\n', at);
    const length = Number(command.subarray(at + 1, line).toString('latin1'));
    words.push(
      command
        .subarray(line + 2, line + 2 + length)
        .toString('latin1')
        .toLowerCase(),
    );
    const next = line + 2 + length + 2;
    at = next < command.length ? next : -1;
  }
  return words;
}
