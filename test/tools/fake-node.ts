import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

/** Something that speaks the protocol and answers what it is told to. */
export interface FakeNode {
  readonly port: number;
  readonly url: string;
  /** What it was asked, the words of each command. */
  readonly asked: readonly (readonly string[])[];
  close(): Promise<void>;
}

/**
 * @param answer gives the reply to a command as it goes over the wire, without its last line break; undefined: as any server does, which
 * calls itself a node of a cluster
 */
export async function startFakeNode(answer: (words: readonly string[]) => string | undefined): Promise<FakeNode> {
  const asked: string[][] = [];
  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    let bytes: Buffer = Buffer.alloc(0);
    socket.on('data', (more) => {
      bytes = Buffer.concat([bytes, more]);
      for (let command = firstCommand(bytes); command !== undefined; command = firstCommand(bytes)) {
        bytes = bytes.subarray(command.end);
        asked.push(command.words);
        socket.write(`${answer(command.words) ?? usual(command.words, port)}\r\n`);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    asked,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}

/** A run of slots as CLUSTER SLOTS tells it. */
export interface ToldRun {
  readonly first: number;
  readonly last: number;
  readonly port: number;
  readonly id: string;
}

/** The reply of CLUSTER SLOTS. */
export function slotsReply(runs: readonly ToldRun[]): string {
  const told = runs.map(({ first, last, port, id }) =>
    ['*3', `:${first}`, `:${last}`, '*3', bulk('127.0.0.1'), `:${port}`, bulk(id)].join('\r\n'),
  );
  return [`*${runs.length}`, ...told].join('\r\n');
}

export function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}`;
}

function usual([name = '']: readonly string[], port: number): string {
  if (name.toUpperCase() === 'INFO') return bulk(`redis_version:7.0.15\r\nredis_mode:cluster\r\nrun_id:${port}\r\n`);
  if (name.toUpperCase() === 'CLUSTER') return '-ERR unknown subcommand';
  return '+OK';
}

/** The words of the first command, and where it ends; undefined where it is not there as a whole. */
function firstCommand(bytes: Buffer): { readonly words: string[]; readonly end: number } | undefined {
  let at = 0;
  const line = (): string | undefined => {
    const end = bytes.indexOf('\r\n', at);
    if (end < 0) return undefined;
    const text = bytes.toString('latin1', at, end);
    at = end + 2;
    return text;
  };
  const count = Number(line()?.slice(1) ?? NaN);
  if (Number.isNaN(count)) return undefined;
  const words: string[] = [];
  for (let i = 0; i < count; i++) {
    const length = Number(line()?.slice(1) ?? NaN);
    if (Number.isNaN(length) || at + length + 2 > bytes.length) return undefined;
    words.push(bytes.toString('latin1', at, at + length));
    at += length + 2;
  }
  return { words, end: at };
}
