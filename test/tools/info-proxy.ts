import { connect, type Socket } from 'node:net';
import { startProxy, type Proxy } from './proxy';

/** What a proxy hides of the server behind it. */
export interface Hidden {
  /** Sections that INFO leaves out, by their heads in small letters; `INFO <section>` then gives nothing. */
  readonly sections?: readonly string[];
  /** `INFO keyspace` tells the section that plain INFO leaves out. */
  readonly keyspaceApart?: boolean;
  /** Fields that INFO leaves out. */
  readonly fields?: readonly string[];
  /** Commands that are refused, in small letters. */
  readonly commands?: readonly string[];
  /** Scripts run on this server instead, by its port on 127.0.0.1: of several behind one endpoint they see one. */
  readonly scriptsAt?: number;
}

/** A server in front of a Redis server on 127.0.0.1 that hides some of what it tells, as services behind proxies do. */
export async function startInfoProxy(behind: number, hidden: Hidden): Promise<Proxy> {
  return await startProxy(behind, (client, redis) => {
    passOn(client, redis, hidden);
  });
}

/** What becomes of a command's reply. */
type Answer = 'as it is' | 'plain info' | 'info section' | { readonly refusal: string };

/** A command that a client waits for, and what it is told once that is there. */
interface Asked {
  readonly answer: Answer;
  told?: Buffer | string;
}

function passOn(client: Socket, redis: Socket, hidden: Hidden): void {
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
        if (one !== undefined) one.told = changed(bytes.subarray(0, end), one.answer, hidden);
        bytes = bytes.subarray(end);
      }
      tell();
    });
    return waiting;
  };
  const ofRedis = answered(redis);
  const other = hidden.scriptsAt === undefined ? undefined : connect(hidden.scriptsAt, '127.0.0.1');
  const ofOther = other && answered(other);
  client.on('close', () => other?.destroy());
  let bytes: Buffer = Buffer.alloc(0);
  client.on('data', (more) => {
    bytes = Buffer.concat([bytes, more]);
    for (let end = endOfValue(bytes, 0); end !== undefined; end = endOfValue(bytes, 0)) {
      const command = bytes.subarray(0, end);
      bytes = bytes.subarray(end);
      const [name = '', argument] = wordsOf(command);
      const refused = hidden.commands?.includes(name) === true;
      const one: Asked = {
        answer: refused
          ? { refusal: `-ERR unknown command '${name}'\r\n` }
          : name !== 'info'
            ? 'as it is'
            : argument === undefined
              ? 'plain info'
              : 'info section',
      };
      asked.push(one);
      if (other !== undefined && (name === 'eval' || name === 'evalsha')) {
        ofOther?.push(one);
        other.write(command);
        continue;
      }
      ofRedis.push(one);
      // In the place of what is refused goes a command that changes nothing, so that replies keep their order.
      redis.write(refused ? '*1\r\n$4\r\nPING\r\n' : command);
    }
  });
}

function changed(reply: Buffer, answer: Answer, hidden: Hidden): Buffer | string {
  if (answer === 'as it is' || reply[0] !== 0x24) return typeof answer === 'object' ? answer.refusal : reply;
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
