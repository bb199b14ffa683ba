import Table from 'cli-table3';
import { UnreadableValueError, type ShowCommand, type ShownValue } from '../../src/convert/about';
import { Connections } from '../../src/redis/connections';
import { RedisError } from '../../src/redis/errors';
import type { RedisPort } from '../../src/redis/redis-port';
import { readGiven } from '../connections/given-connection';
import { gatherSettings } from '../connections/local-settings';
import { exitCodes, TroubleError, UsageError } from '../outcome';
import type { Context } from './context';

export interface ShowOptions {
  readonly source: string;
  readonly key: string;
  readonly database: number;
  readonly base64?: boolean;
  readonly json?: boolean;
}

/** `keyferry <command> show`, of a converter. @returns 0, or 1 when there is no such value */
export async function showValue(options: ShowOptions, command: ShowCommand, { display }: Context): Promise<number> {
  const key = readKey(options);
  const given = readGiven('source', options.source, await gatherSettings(process.cwd()));
  const connections = new Connections(given.settings, 'keyferry-show');
  try {
    const shown = await read(connections, given.name, options.database, (port) => command.read(port, key));
    if (shown === undefined) {
      display.note(command.none);
      return exitCodes.differences;
    }
    if (options.json === true) display.printJson(shown.document);
    else display.print(tableOf(shown));
    return exitCodes.completed;
  } finally {
    connections.close();
  }
}

function readKey({ key, base64 }: ShowOptions): Buffer {
  if (base64 !== true) return Buffer.from(key, 'utf8');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(key)) throw new UsageError('--key is not base64.');
  return Buffer.from(key, 'base64');
}

async function read(
  connections: Connections,
  name: string,
  database: number,
  show: (port: RedisPort) => Promise<ShownValue | undefined>,
): Promise<ShownValue | undefined> {
  const port = connections.get(name, database);
  try {
    await port.ready();
    return await show(port);
  } catch (error) {
    if (error instanceof UnreadableValueError || error instanceof RedisError) throw new TroubleError(error.message);
    throw error;
  }
}

function tableOf({ head, rows, facts }: ShownValue): string {
  const table = new Table({
    head: [...head],
    style: { head: [], border: [] },
    wordWrap: true,
    colWidths: [24, 36, 60],
    wrapOnWordBoundary: false,
  });
  for (const row of rows) table.push([...row]);
  return `${table.toString()}\n${facts.join(', ')}`;
}
