import { createHash } from 'node:crypto';
import type { Finding } from './rows';

/** How keys stand in findings: by name, or by the SHA-256 of the name, which whoever has the name can work out too. */
export type FindingKeys = 'name' | 'hash';

/** A finding as it may be written down. The hash stands in the key's place as `sha256:` and 64 hexadecimal digits. */
export function redactFinding(finding: Finding, keys: FindingKeys): Finding {
  return { ...finding, key: keyAsTold(finding.key, keys) };
}

/** A key's name as it may be written down. */
export function keyAsTold(key: Buffer, keys: FindingKeys): Buffer {
  return keys === 'name' ? key : Buffer.from(`sha256:${createHash('sha256').update(key).digest('hex')}`);
}
