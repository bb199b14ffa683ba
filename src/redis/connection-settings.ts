import { isIP } from 'node:net';
import { parseNodeMap, type NodeMap } from './node-map';

/** Where one Redis is and how to sign in, read from the app's settings. Never leaves the process. */
export interface ConnectionSettings {
  /** The connection's name as requests use it, for example "OLD". */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** The name in the server's certificate, where it is not that of `host`. */
  readonly tlsHost?: string;
  readonly username?: string;
  readonly password?: string;
  /** The database that it ends in, where it does: for requests that name none. */
  readonly database?: number;
  /** Sign in with Entra ID instead of a password; clientId chooses a user-assigned identity. */
  readonly entra?: { readonly clientId?: string };
  /** Of a cluster: where nodes are that announce addresses which do not lead to them. */
  readonly nodes?: NodeMap;
}

/** A connection that requests name is missing from the settings, or what is set cannot be read. The message has no secret. */
export class ConnectionSettingsError extends Error {
  constructor(
    readonly connection: string,
    message: string,
  ) {
    super(message);
    this.name = 'ConnectionSettingsError';
  }
}

const NAME = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;

/** Whether a text can be a connection's name: a letter, then letters, digits and underscores; at most 64. */
export function isConnectionName(text: string): boolean {
  return NAME.test(text) && !text.includes('__');
}

/**
 * Reads the connection `name` from settings in one of three forms: `REDIS_<NAME>` with a redis:// or rediss:// URL,
 * `REDIS_<NAME>` with the string the Azure portal shows (`host:6380,password=…,ssl=True,abortConnect=False`), or
 * `REDIS_<NAME>__hostName` with optional `__port` and `__clientId` for Entra ID. Each may have `__nodes` beside it.
 * @throws ConnectionSettingsError when there is none, or it cannot be read
 */
export function readConnectionSettings(
  name: string,
  settings: Readonly<Record<string, string | undefined>>,
): ConnectionSettings {
  const setting = `REDIS_${name}`;
  const text = (settings[setting] ?? settings[setting.toUpperCase()])?.trim();
  const hostName = partOf(name, 'hostName', settings);
  const read = () => {
    if (text) return /^rediss?:\/\//i.test(text) ? fromUrl(name, text) : fromPortalString(name, text);
    return hostName ? fromHostName(name, hostName, settings) : undefined;
  };
  const connection = read();
  if (connection !== undefined) return withNodes(connection, settings);
  throw new ConnectionSettingsError(
    name,
    `There is no connection "${name}": set ${setting} to a redis:// or rediss:// URL or the connection string the Azure portal shows, or ${setting}__hostName for Entra ID.`,
  );
}

function withNodes(
  connection: ConnectionSettings,
  settings: Readonly<Record<string, string | undefined>>,
): ConnectionSettings {
  const setting = `REDIS_${connection.name}__nodes`;
  const text = partOf(connection.name, 'nodes', settings);
  if (!text) return connection;
  const nodes = parseNodeMap(text);
  if (nodes !== undefined) return { ...connection, nodes };
  throw new ConnectionSettingsError(
    connection.name,
    `${setting} is no list of nodes and of where they are reached, such as 10.0.2.4:8500=cache.example:8500,*:6379=*:6380.`,
  );
}

/** A part of a connection that has a setting of its own. */
function partOf(
  name: string,
  part: string,
  settings: Readonly<Record<string, string | undefined>>,
): string | undefined {
  return (settings[`REDIS_${name}__${part}`] ?? settings[`REDIS_${name.toUpperCase()}__${part}`])?.trim();
}

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];
/** Azure Cache for Redis listens on both of these ports, with TLS and without. */
const AZURE_CACHE = /\.redis\.cache\.[a-z.]+$/;
const AZURE_CACHE_PORTS = [6379, 6380];

/**
 * Host and port of a connection in one spelling: lower case, no dot at the end, numbers of addresses written out. One
 * server may still have several: names are not resolved.
 */
export function addressOf({ host, port }: Pick<ConnectionSettings, 'host' | 'port'>): string {
  const name = spelling(host.replace(/\.$/, ''));
  if (AZURE_CACHE.test(name) && AZURE_CACHE_PORTS.includes(port)) return name;
  return `${LOOPBACK.includes(name) ? 'localhost' : name}:${port}`;
}

function spelling(host: string): string {
  try {
    return new URL(`http://${host.includes(':') ? `[${host}]` : host}/`).hostname;
  } catch {
    return host.toLowerCase();
  }
}

function fromUrl(name: string, text: string): ConnectionSettings {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new ConnectionSettingsError(
      name,
      `REDIS_${name} is not a URL that can be read; "/", "#", "?" and "%" in a user name or password must be percent-encoded (%2F, %23, %3F, %25).`,
    );
  }
  if (!url.hostname) throw new ConnectionSettingsError(name, `REDIS_${name} names no host.`);
  const database = /^\/(\d{1,9})$/.exec(url.pathname)?.[1];
  // What stands there may be a part of a password with "/" in it.
  if (database === undefined && !['', '/'].includes(url.pathname)) {
    throw new ConnectionSettingsError(
      name,
      `REDIS_${name} has a path after the host; "/" in a user name or password must be percent-encoded (%2F).`,
    );
  }
  if (url.search !== '' || url.hash !== '') {
    throw new ConnectionSettingsError(
      name,
      `REDIS_${name} has "?" or "#" after the host; in a user name or password they must be percent-encoded (%3F, %23).`,
    );
  }
  const tls = url.protocol.toLowerCase() === 'rediss:';
  return {
    name,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: portOf(name, url.port === '' ? 6379 : Number(url.port)),
    tls,
    ...(url.username ? { username: decode(name, url.username) } : {}),
    ...(url.password ? { password: decode(name, url.password) } : {}),
    ...(database === undefined ? {} : { database: Number(database) }),
  };
}

function portOf(name: string, port: number): number {
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new ConnectionSettingsError(name, `The port of REDIS_${name} must be a number from 1 to 65535.`);
}

function decode(name: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ConnectionSettingsError(
      name,
      `REDIS_${name}: the user name or password must be percent-encoded ("%" as %25).`,
    );
  }
}

/** The options of StackExchange.Redis that change nothing here and may stand in a portal string. */
const IGNORED_OPTIONS =
  /^(abortconnect|connecttimeout|synctimeout|asynctimeout|connectretry|keepalive|name|resolvedns|allowadmin|version|sslprotocols|responsetimeout|configcheckseconds|defaultversion|tiebreaker|protocol|channelprefix|proxy|highintegrity|setclientlibrary|checkcertificaterevocation|highprioritythreads|writebuffer|configchannel|setlib)$/;

/** Its options that cannot be left out of account, and what to give instead. */
const OTHER_OPTIONS: Readonly<Record<string, string>> = {
  servicename: 'serviceName=, which asks a Sentinel: give host and port of the master that it tells',
  tunnel: 'tunnel=: tunnels are not supported',
};

function fromPortalString(name: string, text: string): ConnectionSettings {
  const [endpoint = '', ...options] = text.split(',').map((part) => part.trim());
  const match = /^(?:\[([^\]]+)\]|([^:=\s]+))(?::(\d{1,5}))?$/.exec(endpoint);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined) {
    throw new ConnectionSettingsError(
      name,
      `REDIS_${name} is neither a redis:// or rediss:// URL nor a connection string of the form host:port,password=…,ssl=True.`,
    );
  }
  let tls: boolean | undefined;
  let username: string | undefined;
  let password: string | undefined;
  let tlsHost: string | undefined;
  let database: number | undefined;
  for (const option of options) {
    if (option === '') continue;
    const at = option.indexOf('=');
    const key = option.slice(0, at < 0 ? undefined : at).toLowerCase();
    const value = at < 0 ? '' : option.slice(at + 1);
    if (key === 'password') password = value;
    else if (key === 'user') username = value;
    else if (key === 'sslhost') tlsHost = value;
    else if (key === 'ssl') {
      if (!/^(true|false)$/i.test(value)) {
        throw new ConnectionSettingsError(name, `REDIS_${name} has an ssl= that is neither True nor False.`);
      }
      tls = value.toLowerCase() === 'true';
    } else if (key === 'defaultdatabase' && value !== '') {
      if (!/^\d{1,9}$/.test(value)) {
        throw new ConnectionSettingsError(name, `REDIS_${name} has a defaultDatabase= that is no number.`);
      }
      database = Number(value);
    } else if (OTHER_OPTIONS[key] !== undefined) {
      throw new ConnectionSettingsError(name, `REDIS_${name} has ${OTHER_OPTIONS[key]}.`);
    } else if (key !== 'defaultdatabase' && !IGNORED_OPTIONS.test(key)) {
      throw new ConnectionSettingsError(
        name,
        at < 0
          ? `REDIS_${name} has a part without "=" after the host: only one host is understood, and a password with a comma needs the URL form.`
          : `REDIS_${name} has an option that is not understood (the ${ordinal(options.indexOf(option) + 1)} after the host); it may be part of a password with a comma, which needs the URL form.`,
      );
    }
  }
  const port = portOf(name, match?.[3] === undefined ? (tls === true ? 6380 : 6379) : Number(match[3]));
  return {
    name,
    host,
    port,
    tls: tls ?? port === 6380,
    ...(tlsHost ? { tlsHost } : {}),
    ...(database === undefined ? {} : { database }),
    ...(username ? { username } : {}),
    ...(password ? { password } : {}),
  };
}

function ordinal(number: number): string {
  return ['first', 'second', 'third'][number - 1] ?? `${number}th`;
}

/** How TLS is spoken: under the certificate's name where one is known. */
export function tlsOptions({ host, tlsHost }: Pick<ConnectionSettings, 'host' | 'tlsHost'>): { servername?: string } {
  const servername = tlsHost ?? (isIP(host) === 0 ? host : undefined);
  return servername === undefined ? {} : { servername };
}

function fromHostName(
  name: string,
  host: string,
  settings: Readonly<Record<string, string | undefined>>,
): ConnectionSettings {
  const portText = partOf(name, 'port', settings);
  // Azure Managed Redis listens on 10000, Azure Cache for Redis on 6380; Entra ID needs TLS on both.
  const port = portOf(name, portText ? Number(portText) : /\.redis\.azure\.net$/i.test(host) ? 10000 : 6380);
  if (!/^[A-Za-z0-9.-]+$/.test(host)) {
    throw new ConnectionSettingsError(name, `REDIS_${name}__hostName must be a host name and nothing else.`);
  }
  const clientId = partOf(name, 'clientId', settings);
  return { name, host, port, tls: true, entra: clientId ? { clientId } : {} };
}
