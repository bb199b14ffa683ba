import path from 'node:path';
import { loadScript } from '../../redis/scripts';

const FOLDER = path.join(__dirname, 'scripts');
const EXPIRY = '../../scripts/expiry';

/** One script a file in scripts/, each with a header that documents KEYS, ARGV and the reply. */
export const scripts = {
  count: loadScript(FOLDER, ['session-count']),
  gather: loadScript(FOLDER, [EXPIRY, 'session-fingerprint', 'session-gather'], 'clock'),
  members: loadScript(FOLDER, [EXPIRY, 'session-fingerprint', 'session-members'], 'clock'),
  prints: loadScript(FOLDER, [EXPIRY, 'session-fingerprint', 'session-prints']),
  write: loadScript(FOLDER, [EXPIRY, 'session-fingerprint', 'session-write'], 'effects'),
  tryReads: loadScript(FOLDER, ['try-reads']),
  tryWrites: loadScript(FOLDER, ['try-writes'], 'effects'),
} as const;
