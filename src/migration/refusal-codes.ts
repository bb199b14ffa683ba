/** What a code says to programs, with the status of its answer. */
export interface CodeMeaning<Status extends number = number> {
  readonly status: Status;
  readonly means: string;
}

/** Why a migration does not start as asked, or has not what is asked for: every code there is. */
const TABLE = {
  sameServer: { status: 409, means: 'Source and target are the same Redis, and nothing is converted in place.' },
  inPlaceOnly: {
    status: 400,
    means: 'A conversion in place takes no rename, no other databases and no `onConflict: "fail"`.',
  },
  severalServers: {
    status: 400,
    means:
      'The connection of a side leads to one server process and to another in turns, or to nodes of several clusters.',
  },
  clusterNotSupported: { status: 400, means: 'A side is a cluster, with which this cannot be done.' },
  fileNotPossible: {
    status: 400,
    means: 'The source cannot be written into a file, or has more to be converted than can be converted from a file.',
  },
  databasesUnknown: {
    status: 400,
    means: 'A side does not tell which databases it has: they must be named in `databases`.',
  },
  sameReplication: { status: 409, means: 'Source and target replicate each other.' },
  targetIsReplica: { status: 400, means: 'The target is a replica and takes no writes.' },
  databasesCollide: { status: 400, means: 'Two databases would go into one under the same names.' },
  noSuchDatabase: { status: 400, means: 'A side does not have a database that is asked for.' },
  scriptsNeeded: { status: 400, means: 'A conversion needs Lua scripts, and a side refuses them.' },
  rightsMissing: {
    status: 400,
    means: 'The user of a side may not run commands, or not touch keys, that are needed; the message names them.',
  },
  targetKeysUnknown: {
    status: 409,
    means: '`onConflict` is "fail" and the target does not tell whether it has keys.',
  },
  targetNotEmpty: {
    status: 409,
    means: 'The target has keys, and `onConflict` is "fail", or the mode is live without `deleteExtra`.',
  },
  cannotFollow: {
    status: 400,
    means: 'The source cannot be followed in mode live: it does not tell which keys change, or telling could harm it.',
  },
  sourceLooksWrong: {
    status: 409,
    means: '`deleteExtra` is asked for, and the source does not look as if it had all that it should have.',
  },
  targetBusy: { status: 409, means: 'Another migration is writing to the target.' },
  requestIdReused: { status: 409, means: 'The `requestId` was used with another request.' },
  notReady: { status: 409, means: 'A cut-over is asked for that would not be proved now; the message says why.' },
  noReport: { status: 409, means: 'Only a dry run has a report.' },
} as const satisfies Readonly<Record<string, CodeMeaning<400 | 409>>>;

export type RefusalCode = keyof typeof TABLE;

export const refusalCodes: Readonly<Record<RefusalCode, CodeMeaning<400 | 409>>> = TABLE;
