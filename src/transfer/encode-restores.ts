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
  /** Of both together, bytes. */
  readonly size: number;
}

const NO_USE = -1;

/**
 * RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME | FREQ use] for each entry, written straight into one buffer, but for large payloads: an array for
 * each command would cost as much as everything else that is done for a key.
 */
export function encodeRestores(entries: readonly RestoreEntry[], options: RestoreOptions): EncodedCommands {
  const { replace, absoluteExpiry, now, use: kind } = options;
  const replacing = replace ? ['REPLACE'] : [];
  const lasting = framesOf(replacing, kind);
  const expiring = framesOf([...replacing, ...(absoluteExpiry ? ['ABSTTL'] : [])], kind);
  const shift = absoluteExpiry ? 0 : now;

  let size = 0;
  for (const entry of entries) {
    const { key, expiry, payload } = entry;
    const use = kind === undefined ? NO_USE : (entry.use ?? NO_USE);
    const frames = expiry === 0 ? lasting : expiring;
    size += use < 0 ? frames.plain.size : frames.withUse.size + bulkSize(digitsOf(use));
    size += bulkSize(key.length) + bulkSize(expiry === 0 ? 1 : digitsOf(expiry - shift));
    size += isLarge(payload) ? bulkFrameSize(payload.length) : bulkSize(payload.length);
  }
  return new EncodedCommands(entries.length, size, (out, byReference) => {
    let at = 0;
    for (const entry of entries) {
      const { key, expiry, payload } = entry;
      const use = kind === undefined ? NO_USE : (entry.use ?? NO_USE);
      const frames = expiry === 0 ? lasting : expiring;
      const { head, tail } = use < 0 ? frames.plain : frames.withUse;
      at = writeBytes(out, at, head);
      at = writeBulk(out, at, key);
      at = writeBulkNumber(out, at, expiry === 0 ? 0 : expiry - shift);
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
  const head = Buffer.from(`*${4 + flags.length + more}\r\n$7\r\nRESTORE\r\n`, 'latin1');
  const tail = Buffer.from(flags.map((flag) => `$${flag.length}\r\n${flag}\r\n`).join(''), 'latin1');
  return { head, tail, size: head.length + tail.length };
}
