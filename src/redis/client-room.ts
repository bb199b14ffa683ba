import { infoNumber } from './info';
import type { RedisPort, Reply } from './redis-port';
import type { RedisError } from './errors';

/** Clients that are left to others: a tenth of what a server takes, and at least so many. */
const LEAST_LEFT = 5;
const SHARE_LEFT = 1 / 10;

/** How many more clients a server takes. */
export class ClientRoom {
  /** As CONFIG GET tells it, which is asked for once; undefined where it does not. */
  private configured: Promise<number | undefined> | undefined;

  /** Clients that may still be opened, beside those left to others; undefined where the server does not tell. @throws RedisError of the connection */
  async free(port: RedisPort): Promise<number | undefined> {
    const [reply] = await port.pipeline([['INFO', 'clients']]);
    const info = textOf(reply);
    const connected = infoNumber(info, 'connected_clients');
    // From 7.0. Before, and where it is a proxy's, only CONFIG tells, which a user may refuse.
    const most = infoNumber(info, 'maxclients') ?? (await (this.configured ??= configuredMost(port)));
    if (connected === undefined || most === undefined) return undefined;
    return Math.max(0, most - connected - Math.max(LEAST_LEFT, Math.ceil(most * SHARE_LEFT)));
  }
}

async function configuredMost(port: RedisPort): Promise<number | undefined> {
  const [reply] = await port.pipeline([['CONFIG', 'GET', 'maxclients']]);
  const value = Array.isArray(reply) ? textOf(reply[1]) : '';
  return /^\d+$/.test(value) ? Number(value) : undefined;
}

function textOf(reply: Reply | RedisError | undefined): string {
  return Buffer.isBuffer(reply) ? reply.toString('latin1') : '';
}
