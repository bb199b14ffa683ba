import {
  bulkFrameSize,
  bulkSize,
  digitsOf,
  EncodedCommands,
  isLarge,
  writeBulk,
  writeBulkByReference,
  writeBulkNumber,
  writeBytes,
} from '../redis/encoded-command';
import type { RestoreEntry, WriteOptions } from './page-writer';

export interface RestoreOptions extends WriteOptions {
  /** The target's clock, ms since 1970: for servers that take no absolute expiry. */
  readonly now: number;
}

/** The parts of a RESTORE that are the same for many keys, as bytes. */
interface Frame {
  readonly head: Buffer;
  readonly tail: Buffer;
}

/**
 * RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME | FREQ use] for each entry, written straight into one buffer, but for large payloads: an array for
 * each command would cost as much as everything else that is done for a key.
 */
export function encodeRestores(entries: readonly RestoreEntry[], options: RestoreOptions): EncodedCommands {
  const { replace, absoluteExpiry, now, use: kind } = options;
  const replacing = replace ? ['REPLACE'] : [];
  const lasting = framesOf(replacing, kind);
  const expiring = framesOf([...replacing, ...(absoluteExpiry ? ['ABSTTL'] : [])], kind);
  const ttlOf = (expiry: number) => (expiry === 0 || absoluteExpiry ? expiry : expiry - now);
  /** -1 where none is given. */
  const useOf = ({ use = -1 }: RestoreEntry) => (kind === undefined ? -1 : use);
  const frameOf = (entry: RestoreEntry) =>
    (entry.expiry === 0 ? lasting : expiring)[useOf(entry) < 0 ? 'plain' : 'withUse'];

  let size = 0;
  for (const entry of entries) {
    const { key, expiry, payload } = entry;
    const { head, tail } = frameOf(entry);
    const use = useOf(entry);
    size += head.length + bulkSize(key.length) + bulkSize(digitsOf(ttlOf(expiry)));
    size += isLarge(payload) ? bulkFrameSize(payload.length) : bulkSize(payload.length);
    size += tail.length + (use < 0 ? 0 : bulkSize(digitsOf(use)));
  }
  return new EncodedCommands(entries.length, size, (out, byReference) => {
    let at = 0;
    for (const entry of entries) {
      const { key, expiry, payload } = entry;
      const { head, tail } = frameOf(entry);
      const use = useOf(entry);
      at = writeBytes(out, at, head);
      at = writeBulk(out, at, key);
      at = writeBulkNumber(out, at, ttlOf(expiry));
      at = isLarge(payload) ? writeBulkByReference(out, at, payload, byReference) : writeBulk(out, at, payload);
      at = writeBytes(out, at, tail);
      if (use >= 0) at = writeBulkNumber(out, at, use);
    }
  });
}

function framesOf(
  flags: readonly string[],
  kind: string | undefined,
): { readonly plain: Frame; readonly withUse: Frame } {
  return { plain: frame(flags, 0), withUse: frame([...flags, kind ?? ''], 1) };
}

/** @param more how many arguments stand behind the flags */
function frame(flags: readonly string[], more: number): Frame {
  return {
    head: Buffer.from(`*${4 + flags.length + more}\r\n$7\r\nRESTORE\r\n`, 'latin1'),
    tail: Buffer.from(flags.map((flag) => `$${flag.length}\r\n${flag}\r\n`).join(''), 'latin1'),
  };
}
