import { isRedisError } from './errors';
import type { Command, RedisPort } from './redis-port';

/** A client of a server, as CLIENT LIST tells it. */
export interface ListedClient {
  readonly id: string;
  /** By its server's eyes; of a client behind a proxy or a gateway that one's. */
  readonly address: string;
  /** Empty where it gave itself none. */
  readonly name: string;
  readonly flags: string;
  readonly database: number;
  /** Its last command, in small letters ("set", "xgroup|create"): neither keys nor values. */
  readonly command: string;
  readonly idleSeconds: number;
}

/** The clients of a server; undefined where it does not tell them to this user. @throws RedisError of the connection */
export async function listClients(port: RedisPort): Promise<ListedClient[] | undefined> {
  try {
    const reply = await port.call('CLIENT', 'LIST');
    return Buffer.isBuffer(reply) ? parseClientList(reply.toString('utf8')) : undefined;
  } catch (error) {
    if (isRedisError(error, 'noRight', 'unknownCommand', 'refused')) return undefined;
    throw error;
  }
}

/** Ends clients of a server, as far as its user may. @throws RedisError of the connection */
export async function endClients(port: RedisPort, clients: readonly Pick<ListedClient, 'id'>[]): Promise<void> {
  // By its id alone: nobody else is meant where that one is gone.
  await port.pipeline(clients.map(({ id }): Command => ['CLIENT', 'KILL', 'ID', id]));
}

/** Whether a client is told of what happens on its server: subscribers, and those that are told which keys change. */
export function isListener({ flags }: Pick<ListedClient, 'flags'>): boolean {
  return flags.includes('P') || flags.includes('t');
}

/** What CLIENT LIST answers: a line a client, of fields by name, which versions have more and fewer of. */
export function parseClientList(text: string): ListedClient[] {
  return text.split('\n').flatMap((line): ListedClient[] => {
    const fields = new Map(line.trim().split(' ').map(cut));
    const id = fields.get('id');
    if (id === undefined) return [];
    const number = (name: string) => Number(fields.get(name) ?? 0) || 0;
    return [
      {
        id,
        address: fields.get('addr') ?? '',
        name: fields.get('name') ?? '',
        flags: fields.get('flags') ?? '',
        database: number('db'),
        command: (fields.get('cmd') ?? '').toLowerCase(),
        idleSeconds: number('idle'),
      },
    ];
  });
}

function cut(field: string): [string, string] {
  const at = field.indexOf('=');
  return at < 0 ? [field, ''] : [field.slice(0, at), field.slice(at + 1)];
}
