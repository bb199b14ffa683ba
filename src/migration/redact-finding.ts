import { createHash } from 'node:crypto';
import type { Finding, KeyFinding } from './rows';

/** How keys stand in findings: by name, or by the SHA-256 of the name, which whoever has the name can work out too. */
export type FindingKeys = 'name' | 'hash';

/** Where something was found. */
type FoundIn = Pick<Finding, 'migration' | 'database' | 'phase' | 'epoch'>;

/** A finding as it may be written down. The hash stands in the key's place as `sha256:` and 64 hexadecimal digits. */
export function redactFinding({ key, code, message }: KeyFinding, of: FoundIn, keys: FindingKeys): Finding {
  const { migration, database, phase, epoch } = of;
  // Field by field: what a finding says may be made only where it is read.
  return { migration, database, key: keyAsTold(key, keys), code, message, phase, epoch };
}

/** A key's name as it may be written down. */
export function keyAsTold(key: Buffer, keys: FindingKeys): Buffer {
  return keys === 'name' ? key : Buffer.from(`sha256:${createHash('sha256').update(key).digest('hex')}`);
}
