/**
 * What an error asks for:
 * - `retry`: it passes by itself (failover, loading, lost connection): try again with back-off
 * - `room`: the server is out of memory: hold, keep the place, try again
 * - `key`: it concerns this one key
 * - `stop`: it will not pass by itself (password, rights, unknown command): stop and say it
 */
export type ErrorAsks = 'retry' | 'room' | 'key' | 'stop';

/** What of an error may stand in its sentence: never an address, a user's name, a secret, or a key. */
export interface ErrorDetails {
  /** The command that was refused, in capitals, where that is known. */
  readonly command?: string | undefined;
  /** The code of the operating system or of TLS, for example "ECONNRESET". */
  readonly code?: string | undefined;
  /** The server's own words, without what they repeat of a command's arguments. */
  readonly words?: string | undefined;
}

interface KindOfError {
  readonly asks: ErrorAsks;
  /** Goes behind `Connection "OLD": `: what was met, and what to do. */
  readonly says: string | ((details: ErrorDetails) => string);
}

const TABLE = {
  // No connection, or none any more.
  noToken: { asks: 'retry', says: 'Entra ID gave no token; does the app have this managed identity?' },
  hostUnknown: {
    asks: 'retry',
    says: 'the host name cannot be resolved; check how it is spelt, and the private DNS zone where the server has a private endpoint.',
  },
  hostUnreachable: {
    asks: 'retry',
    says: 'no way leads to the host; check the virtual network, its routes and the firewall.',
  },
  connectionRefused: {
    asks: 'retry',
    says: 'nothing listens there (connection refused); check host and port, and whether the server runs.',
  },
  timeout: {
    asks: 'retry',
    says: 'no answer in time; check the firewall, the virtual network, the port, and whether it speaks TLS as set.',
  },
  closedAtOnce: {
    asks: 'retry',
    says: 'the server closed the connection; is this a TLS port without rediss:// or ssl=True, a server in protected mode, or one whose clients are all taken?',
  },
  nodeUnreachable: {
    asks: 'retry',
    says: ({ code }) =>
      `a node of the cluster is not reached, neither as it announces itself nor at the connection's own host (${code ?? 'no answer'}); work goes on when it answers, or when another one has its slots. Where it never did, open the ports of all nodes, or say in the connection's setting __nodes where they are (docs/clusters.md).`,
  },
  otherNode: { asks: 'retry', says: 'where a node of the cluster should be, another server answers.' },
  connectionLost: { asks: 'retry', says: 'the connection was lost in the middle of work.' },
  notOpen: { asks: 'retry', says: 'the connection is not open.' },
  notTls: {
    asks: 'stop',
    says: 'the server does not speak TLS on this port; use redis:// or ssl=False, or the TLS port.',
  },
  certificate: {
    asks: 'stop',
    says: ({ code }) =>
      `the server's certificate cannot be verified (${code ?? 'certificate error'}); use the name that is in the certificate, and trust its authority (NODE_EXTRA_CA_CERTS).`,
  },
  notRedis: {
    asks: 'stop',
    says: 'what answers there does not speak the Redis protocol; check host and port, and whether this is a TLS port without rediss:// or ssl=True.',
  },
  sentinel: {
    asks: 'stop',
    says: 'this is a Sentinel, which has no keys; give host and port of the master that it tells (SENTINEL MASTERS).',
  },
  tooManyClients: {
    asks: 'retry',
    says: 'the server has as many clients as it takes; end some of them, or raise its maxclients.',
  },

  sameServer: {
    asks: 'stop',
    says: 'it leads to a server of the other side now: nothing is asked of it or written to it.',
  },

  // Signing in, and rights.
  protectedMode: {
    asks: 'stop',
    says: 'the server is in protected mode and takes connections from its own machine only; set a password there (requirepass), or "protected-mode no" where the network is trusted.',
  },
  passwordMissing: {
    asks: 'stop',
    says: 'the server asks for a password and none is set; set it in the connection.',
  },
  passwordWrong: {
    asks: 'stop',
    says: 'the server refuses the user name or password; set those that it knows in the connection.',
  },
  passwordNotAsked: {
    asks: 'stop',
    says: 'a password is set, but the server asks for none; take it out of the connection.',
  },
  noRight: {
    asks: 'stop',
    says: ({ command }) =>
      command === undefined
        ? 'this user may not run a command that is needed inside Lua scripts; ACL LOG on the server names it, and docs/security.md lists the rights.'
        : `this user may not run the command ${command}; allow it (ACL SETUSER … +${command.toLowerCase()}). docs/security.md lists the rights.`,
  },
  noRightToKeys: {
    asks: 'stop',
    says: 'this user may not touch some of the keys; allow them (ACL SETUSER … ~pattern), or choose with "select" only those it may.',
  },
  unknownCommand: {
    asks: 'stop',
    says: ({ command }) =>
      `the server does not know ${command === undefined ? 'a command that is needed' : `the command ${command}`}; it is older than that, or the command is renamed or disabled there.`,
  },
  noSuchDatabase: {
    asks: 'stop',
    says: 'the server has no such database; map it to another with "databases".',
  },

  // What a server is or does at the moment.
  loading: { asks: 'retry', says: 'the server is loading its data; work goes on when it has.' },
  busyScript: {
    asks: 'retry',
    says: 'the server is busy with a Lua script of somebody; work goes on when it ends (SCRIPT KILL ends it).',
  },
  readOnly: {
    asks: 'retry',
    says: 'the server is a read-only replica; work goes on when it is a master (after a failover), otherwise give the master in the connection.',
  },
  masterDown: {
    asks: 'retry',
    says: 'the server is a replica without its master and gives no data; work goes on when the master is back, otherwise give the master in the connection.',
  },
  clusterDown: { asks: 'retry', says: 'the cluster is down or does not serve all slots; work goes on when it does.' },
  nodesDiffer: {
    asks: 'retry',
    says: 'the nodes of the cluster do not agree who has which slots; work goes on when they do.',
  },
  nodeUnheard: {
    asks: 'retry',
    says: 'a master of the cluster does not answer, so that it is not known whether another one has its place; work goes on when it is.',
  },
  tryAgain: {
    asks: 'retry',
    says: 'the cluster is moving these keys to another node; work goes on when they are there.',
  },
  notSaved: {
    asks: 'retry',
    says: 'the server takes no writes since it cannot save its data to disk (MISCONF); work goes on when it can: see its log, and free space or mend its "dir".',
  },
  tooFewReplicas: {
    asks: 'retry',
    says: 'the server takes no writes since too few of its replicas are in step (min-replicas-to-write); work goes on when enough are.',
  },
  unblocked: { asks: 'retry', says: 'the server broke a command off since its role changed.' },
  outOfMemory: {
    asks: 'room',
    says: 'the server is out of memory; work goes on with its place kept when memory is freed or its limit is raised.',
  },
  moved: {
    asks: 'retry',
    says: 'the nodes of the cluster send these keys from one to the other; work goes on when they agree who has them.',
  },

  // Answers that have to do with a key, a script or a transaction.
  keyExists: { asks: 'key', says: 'a key of this name is there.' },
  payloadUnreadable: { asks: 'key', says: 'the server cannot read what is in the payload.' },
  payloadVersion: { asks: 'key', says: 'the server does not take payloads of this version, or this one is damaged.' },
  valueTooLong: {
    asks: 'key',
    says: 'a value, or one element of it, is larger than the server, or a proxy before it, takes in one piece (proto-max-bulk-len); raise that limit.',
  },
  replyTooLong: {
    asks: 'key',
    says: 'a value, or one element of it, is larger than what the server, or a proxy before it, gives a client at once (client-output-buffer-limit); raise that limit.',
  },
  wrongType: { asks: 'key', says: 'the key is of another type by now.' },
  noSuchKey: { asks: 'key', says: 'the key is gone.' },
  noSuchGroup: { asks: 'key', says: 'the key or its consumer group is gone.' },
  wrongCursor: {
    asks: 'key',
    says: 'the server does not know a cursor that it gave: it may hold on one connection only.',
  },
  scriptUnknown: { asks: 'key', says: 'the server does not know the script.' },
  transactionDiscarded: { asks: 'key', says: 'the server carried out nothing of a transaction.' },
  refused: { asks: 'key', says: ({ words }) => `the server refuses it${words === undefined ? '' : `: "${words}"`}.` },
} as const satisfies Readonly<Record<string, KindOfError>>;

/** What a connection or a reply has gone wrong by. */
export type ErrorKind = keyof typeof TABLE;

export const errorKinds: Readonly<Record<ErrorKind, KindOfError>> = TABLE;

/** A sentence for people that names the connection, what was met and what to do. */
export function sentenceOf(kind: ErrorKind, connection: string, details: ErrorDetails): string {
  const { says } = errorKinds[kind];
  return `Connection "${connection}": ${typeof says === 'string' ? says : says(details)}`;
}
