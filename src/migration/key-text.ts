/** A key's name as it is told: as text where it is UTF-8 text, otherwise as base64. */
export function keyText(key: Buffer): { key: string; encoding: 'utf8' | 'base64' } {
  const text = key.toString('utf8');
  return Buffer.from(text, 'utf8').equals(key)
    ? { key: text, encoding: 'utf8' }
    : { key: key.toString('base64'), encoding: 'base64' };
}
