import path from 'node:path';
import { loadScript } from '../../redis/scripts';

const FOLDER = path.join(__dirname, 'scripts');
const EXPIRY = '../../scripts/expiry';

/** One script a file in scripts/, each with a header that documents KEYS, ARGV and the reply. */
export const scripts = {
  count: loadScript(FOLDER, [EXPIRY, 'cache-entry', 'cache-count']),
  kinds: loadScript(FOLDER, [EXPIRY, 'cache-entry', 'cache-kinds'], 'clock'),
  read: loadScript(FOLDER, [EXPIRY, 'cache-entry', 'cache-read'], 'clock'),
  write: loadScript(FOLDER, [EXPIRY, 'cache-entry', 'cache-write'], 'effects'),
  tryReads: loadScript(FOLDER, [EXPIRY, 'try-reads']),
  tryWrites: loadScript(FOLDER, [EXPIRY, 'try-writes'], 'effects'),
} as const;
