import { z } from 'zod';
import type { DocumentOf } from './document';

/** The fields of a document that names a key. */
export const keyTextSchema = z.object({
  key: z.string(),
  encoding: z.enum(['utf8', 'base64']).describe('Of the key: text where it is UTF-8 text, otherwise base64.'),
});

/** A key's name as it is told: as text where it is UTF-8 text, otherwise as base64. */
export function keyText(key: Buffer): DocumentOf<typeof keyTextSchema> {
  const text = key.toString('utf8');
  return Buffer.from(text, 'utf8').equals(key)
    ? { key: text, encoding: 'utf8' }
    : { key: key.toString('base64'), encoding: 'base64' };
}
