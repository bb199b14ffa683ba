/**
 * - away: the store cannot be reached, or has too much to do: it passes
 * - refused: it does not let the app in
 * - noStore: there is no such container or folder
 * - noFile: there is no such file
 * - isFolder: a folder has that name
 * - exists: a file of this name is there already
 * - changed: the file is another one than it was
 * - full: there is no room left
 * - blocksGone: blocks that were kept for the file are not there any more
 * - notTaken: it does not take the file, or gives it to nobody
 * - noRdb: the file is no RDB file
 * - packedTooLarge: it is packed, and larger than what can be read so
 * - broken: what the store answered cannot be right
 */
export type FileTrouble =
  | 'away'
  | 'refused'
  | 'noStore'
  | 'noFile'
  | 'isFolder'
  | 'exists'
  | 'changed'
  | 'full'
  | 'blocksGone'
  | 'notTaken'
  | 'noRdb'
  | 'packedTooLarge'
  | 'broken';

const WORDS: Readonly<Record<FileTrouble, string>> = {
  away: 'it does not answer at the moment',
  refused:
    "it does not let the app in. Check its key, or that the app's identity is Storage Blob Data Contributor on the container, and the account's firewall",
  noStore: 'there is no such container, or folder: make it first',
  noFile: 'there is no such file',
  isFolder: 'that is a folder, and no file: give the name of a file in it',
  exists:
    'a file of this name is there already. Choose another name, or have it replaced ("overwrite": true, or --overwrite)',
  changed: 'the file was written anew, or deleted, while it was read. Start again',
  full: 'there is no room left',
  blocksGone:
    'blocks that were kept for the file are gone: somebody else has put a file of this name together meanwhile, or a week has passed, or they were removed. Start again',
  notTaken:
    'it does not take the file as it is. Look for a blob of another kind under this name, a lease, or a policy that keeps blobs from being changed',
  noRdb:
    'it does not begin as an RDB file does. What BGSAVE, redis-cli --rdb, Export in Azure or a backup wrote is one',
  packedTooLarge: 'it is packed (gzip) and has more than 16 GiB when it is unpacked: unpack it first',
  broken: 'it gave fewer bytes than it has',
};

/** A store of files, or a file in it, cannot be used. The message is for people, with the setting's name and no address or key in it. */
export class FileError extends Error {
  /** @param place the store's name, and the file's where it is about one: "BACKUPS" or "BACKUPS/dump.rdb" */
  constructor(
    readonly trouble: FileTrouble,
    readonly place: string,
    cause?: unknown,
  ) {
    super(`File store "${place}": ${WORDS[trouble]}.`, cause === undefined ? undefined : { cause });
    this.name = 'FileError';
  }

  /** `retry`: it passes by itself. */
  get asks(): 'retry' | 'stop' {
    return this.trouble === 'away' ? 'retry' : 'stop';
  }
}
