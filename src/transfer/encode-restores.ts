import { bulkSize, digitsOf, EncodedCommands, writeBulk, writeBulkNumber, writeBytes } from '../redis/encoded-command';
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
 * RESTORE key ttl payload [REPLACE] [ABSTTL] for each entry, written straight into one buffer: an array for each command
 * would cost as much as everything else that is done for a key.
 */
export function encodeRestores(entries: readonly RestoreEntry[], options: RestoreOptions): EncodedCommands {
  const { replace, absoluteExpiry, now } = options;
  const lasting = frame(replace ? ['REPLACE'] : []);
  const expiring = frame([...(replace ? ['REPLACE'] : []), ...(absoluteExpiry ? ['ABSTTL'] : [])]);
  const ttlOf = (expiry: number) => (expiry === 0 || absoluteExpiry ? expiry : expiry - now);

  let size = 0;
  for (const { key, expiry, payload } of entries) {
    const { head, tail } = expiry === 0 ? lasting : expiring;
    size +=
      head.length + bulkSize(key.length) + bulkSize(digitsOf(ttlOf(expiry))) + bulkSize(payload.length) + tail.length;
  }
  return new EncodedCommands(entries.length, size, (out) => {
    let at = 0;
    for (const { key, expiry, payload } of entries) {
      const { head, tail } = expiry === 0 ? lasting : expiring;
      at = writeBytes(out, at, head);
      at = writeBulk(out, at, key);
      at = writeBulkNumber(out, at, ttlOf(expiry));
      at = writeBulk(out, at, payload);
      at = writeBytes(out, at, tail);
    }
  });
}

function frame(flags: readonly string[]): Frame {
  return {
    head: Buffer.from(`*${4 + flags.length}\r\n$7\r\nRESTORE\r\n`, 'latin1'),
    tail: Buffer.from(flags.map((flag) => `$${flag.length}\r\n${flag}\r\n`).join(''), 'latin1'),
  };
}
