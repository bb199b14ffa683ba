import type { RE2JS } from 're2js';
import { compileRenamePattern } from './rename-pattern';

/** A regular expression (RE2) over key names, and what replaces its first match ($1, $2 …). */
export interface RenameRule {
  readonly from: string;
  readonly to: string;
}

/** The name that a key gets on the target. */
export type Naming = (key: Buffer) => Buffer;

/** Undefined when names stay as they are. Names that are not UTF-8 text are not renamed; prefixes go before all names. */
export function makeNaming(rules: readonly RenameRule[], prefix: string): Naming | undefined {
  if (rules.length === 0 && prefix === '') return undefined;
  const compiled = rules.map(({ from, to }) => ({ pattern: compileRenamePattern(from), to: toRe2Replacement(to) }));
  const prefixBytes = Buffer.from(prefix, 'utf8');
  return (key) => {
    const renamed = rename(compiled, key);
    return prefixBytes.length === 0 ? renamed : Buffer.concat([prefixBytes, renamed]);
  };
}

function rename(rules: readonly { readonly pattern: RE2JS; readonly to: string }[], key: Buffer): Buffer {
  if (rules.length === 0) return key;
  const text = key.toString('utf8');
  if (!Buffer.from(text, 'utf8').equals(key)) return key;
  const rule = rules.find(({ pattern }) => pattern.matcher(text).find());
  return rule === undefined ? key : Buffer.from(rule.pattern.matcher(text).replaceFirst(rule.to), 'utf8');
}

/** RE2JS gives "$&", "$$" and more a meaning; in requests only "$1" … "$9" have one. */
function toRe2Replacement(to: string): string {
  return to.replace(/\$(?!\d)/g, '$$$$');
}
