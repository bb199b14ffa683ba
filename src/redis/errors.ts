/**
 * What a server's error reply, or a broken connection, asks for:
 * - `retry`: passes by itself (failover, loading, lost connection): try again with back-off
 * - `full`: the target is out of memory: hold, keep the place, try again
 * - `busy-key`: RESTORE found the key
 * - `payload`: RESTORE does not know the payload: copy this key by commands
 * - `stop`: will not pass by itself (password, rights, unknown command): stop and say it
 * - `key`: concerns this one key: a finding
 */
export type ErrorKind = 'retry' | 'full' | 'busy-key' | 'payload' | 'stop' | 'key';

/** The connection was lost, or is not there yet. Always worth another try. */
export class ConnectionLostError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConnectionLostError';
  }
}

/** Entra ID gave no credentials. Its own message can name tenants and endpoints, so it stays the cause. */
export class CredentialsError extends Error {
  constructor(cause: unknown) {
    super('Entra ID gave no token for Redis.', { cause });
    this.name = 'CredentialsError';
  }
}

const BY_FIRST_WORD: Readonly<Record<string, ErrorKind>> = {
  BUSYKEY: 'busy-key',
  OOM: 'full',
  LOADING: 'retry',
  READONLY: 'retry',
  MASTERDOWN: 'retry',
  CLUSTERDOWN: 'retry',
  TRYAGAIN: 'retry',
  BUSY: 'retry',
  NOREPLICAS: 'retry',
  MISCONF: 'retry',
  UNBLOCKED: 'retry',
  NOAUTH: 'stop',
  WRONGPASS: 'stop',
  NOPERM: 'stop',
  DENIED: 'stop',
};

const CONNECTION_TROUBLE =
  /ECONNRESET|ECONNREFUSED|ETIMEDOUT|EPIPE|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN|ENOTFOUND|Connection is closed|Stream isn't writeable|connection close|Socket closed|Socket timeout|max number of clients|Connection lost/i;
/** Inside a script the reply does not begin with NOPERM: 6.0, then 7.0 and above. */
const NO_RIGHT = /NOPERM|can't run this command|ACL failure in script/;
const NO_TLS = /wrong.version.number|packet.length.too.long|EPROTO/i;
const BAD_CERTIFICATE = /certificate|CERT_|_CERT|SELF_SIGNED|ERR_TLS/i;

/**
 * An error reply without what a server repeats of a command's arguments, which may be key names and values: "unknown
 * command 'RESTORE', with args beginning with: 'key' …". Changes the error itself, and takes off what the client library
 * has put on it.
 */
export function withoutArguments<T>(error: T): T {
  if (!(error instanceof Error)) return error;
  if ('command' in error) error.command = undefined;
  const message = textWithoutArguments(error.message);
  if (message !== error.message) {
    error.message = message;
    error.stack = `${error.name}: ${message}`;
  }
  return error;
}

/** As `withoutArguments`, for the text of a reply. */
export function textWithoutArguments(message: string): string {
  return message.replace(/,? with args beginning with:.*$/s, '');
}

/** Tells error replies apart by their first word, as servers of all versions keep it. */
export function errorKind(error: unknown): ErrorKind {
  if (error instanceof ConnectionLostError || error instanceof CredentialsError) return 'retry';
  const message = messageOf(error);
  const kind = BY_FIRST_WORD[firstWord(message)];
  if (kind !== undefined) return kind;
  if (/Bad data format|DUMP payload version or checksum/i.test(message)) return 'payload';
  if (
    NO_RIGHT.test(message) ||
    /unknown command|invalid password|invalid username-password|no password is set/i.test(message)
  )
    return 'stop';
  if (CONNECTION_TROUBLE.test(message)) return 'retry';
  const code = codeOf(error);
  if (CONNECTION_TROUBLE.test(code)) return 'retry';
  return NO_TLS.test(code) || BAD_CERTIFICATE.test(code) ? 'stop' : 'key';
}

/**
 * The first word of an error reply, for example "WRONGTYPE". From a script, servers before 7.0 put the line and "-"
 * before it: "@user_script: 30: -OOM command not allowed …".
 */
export function firstWord(message: string): string {
  return /^(?:.*@user_script: ?\d+: )?-?([A-Za-z_]+)/s.exec(message)?.[1] ?? '';
}

/**
 * A connection error in words that name the connection and say what to do, and never carry host, user name or password.
 */
export function describeConnectionError(connection: string, error: unknown): string {
  const message = messageOf(error);
  const code = codeOf(error);
  const text = `${code} ${message}`;
  const prefix = `Connection "${connection}": `;
  if (/WRONGPASS|invalid password|invalid username-password/i.test(text)) {
    return `${prefix}the server refuses the user name or password.`;
  }
  if (/no password is set|without any password configured/i.test(text)) {
    return `${prefix}a password is set, but the server asks for none.`;
  }
  if (text.includes('NOAUTH')) return `${prefix}the server asks for a password and none is set.`;
  if (NO_RIGHT.test(text)) return `${prefix}this user may not run a command that is needed (${commandIn(message)}).`;
  if (error instanceof CredentialsError) {
    return `${prefix}Entra ID gave no token; does the app have this managed identity?`;
  }
  if (firstWord(message) === 'LOADING') return `${prefix}the server is loading its data.`;
  if (firstWord(message) === 'OOM') return `${prefix}the server is out of memory.`;
  if (message.includes('max number of clients')) return `${prefix}the server has as many clients as it takes.`;
  if (message.includes('DB index is out of range')) return `${prefix}the server has no such database.`;
  if (/ENOTFOUND|EAI_AGAIN/.test(text)) return `${prefix}the host name cannot be resolved.`;
  if (text.includes('ECONNREFUSED')) return `${prefix}nothing listens there (connection refused).`;
  if (/ETIMEDOUT|connect timeout|timed out|Socket timeout/i.test(text)) {
    return `${prefix}no answer in time; check the firewall, the virtual network, the port, and whether it speaks TLS as set.`;
  }
  if (NO_TLS.test(text)) {
    return `${prefix}the server does not speak TLS on this port; use redis:// or ssl=False, or the TLS port.`;
  }
  if (BAD_CERTIFICATE.test(text)) {
    return `${prefix}the server's certificate cannot be verified (${code || 'certificate error'}).`;
  }
  if (/ECONNRESET|EPIPE|Socket closed|Connection is closed|Protocol error|unexpectedly/i.test(text)) {
    return `${prefix}the server closed the connection; is this a TLS port without rediss:// or ssl=True, or a full client list?`;
  }
  return `${prefix}${firstWord(message) || 'an unknown error'}.`;
}

/** What a thrown thing says. */
export function messageOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}

function commandIn(message: string): string {
  return /'([a-z|]+)'/i.exec(message)?.[1] ?? 'see the ACL log of the server';
}
