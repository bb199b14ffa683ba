import Table from 'cli-table3';
import { FormatError } from '../../src/convert/aspnet-session';
import { showSession, type ShownSession } from '../../src/convert/aspnet-session/show-session';
import { Connections } from '../../src/redis/connections';
import { RedisError } from '../../src/redis/errors';
import { readGiven } from '../connections/given-connection';
import { gatherSettings } from '../connections/local-settings';
import { exitCodes, TroubleError, UsageError } from '../outcome';
import type { Context } from './context';

export interface SessionOptions {
  readonly source: string;
  readonly key: string;
  readonly database: number;
  readonly base64?: boolean;
  readonly json?: boolean;
}

/** `keyferry session show`. @returns 0, or 1 when there is no such session */
export async function session(options: SessionOptions, { display }: Context): Promise<number> {
  const key = readKey(options);
  const given = readGiven('source', options.source, await gatherSettings(process.cwd()));
  const connections = new Connections(given.settings, 'keyferry-session');
  try {
    const shown = await read(connections, given.name, options.database, key);
    if (shown === undefined) {
      display.note(
        'There is no session under this key. A key looks like {/App_0a1b…}_Data or {/App_0a1b…}_SessionStateItemCollection.',
      );
      return exitCodes.differences;
    }
    if (options.json === true) display.printJson(shown);
    else display.print(tableOf(shown));
    return exitCodes.completed;
  } finally {
    connections.close();
  }
}

function readKey({ key, base64 }: SessionOptions): Buffer {
  if (base64 !== true) return Buffer.from(key, 'utf8');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(key)) throw new UsageError('--key is not base64.');
  return Buffer.from(key, 'base64');
}

async function read(
  connections: Connections,
  name: string,
  database: number,
  key: Buffer,
): Promise<ShownSession | undefined> {
  const port = connections.get(name, database);
  try {
    await port.ready();
    return await showSession(port, key);
  } catch (error) {
    if (error instanceof FormatError) throw new TroubleError(`The session cannot be read: ${error.message}`);
    if (error instanceof RedisError) throw new TroubleError(error.message);
    throw error;
  }
}

function tableOf({ version, rows, timeoutSeconds, remainingMs, locked }: ShownSession): string {
  const table = new Table({
    head: ['name', '.NET type', 'value'],
    style: { head: [], border: [] },
    wordWrap: true,
    colWidths: [24, 36, 60],
    wrapOnWordBoundary: false,
  });
  for (const { name, type, value } of rows) table.push([name, type, value]);
  const facts = [
    `version ${version}`,
    `${rows.length} items`,
    timeoutSeconds === null ? 'no timeout stored' : `timeout ${timeoutSeconds} s`,
    remainingMs === null ? 'no expiry' : `expires in ${(remainingMs / 1_000).toFixed(0)} s`,
    ...(locked ? ['locked by a request'] : []),
  ];
  return `${table.toString()}\n${facts.join(', ')}`;
}
