const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const BACKSLASH = 0x5c;
const CARET = 0x5e;
const DASH = 0x2d;
const LETTER_A = 0x61;
const LETTER_Z = 0x7a;

type Token = { readonly kind: 'any' } | { readonly kind: 'one'; readonly bytes: Uint8Array };

/**
 * A test for key names by a Redis glob over bytes: `*`, `?`, `[abc]`, `[^a]`, `[a-z]`, `\x`, as KEYS and SCAN MATCH
 * understand them (redis/src/util.c, stringmatchlen). Takes at most pattern × key steps, whatever the pattern.
 */
export function globMatcher(pattern: string): (key: Buffer) => boolean {
  const tokens = parse(Buffer.from(pattern, 'utf8'));
  return (key) => matches(tokens, key);
}

/**
 * A name that matches a glob: with `filling` in the place of its first `*`, and as short as it can be otherwise. Undefined where
 * nothing matches.
 */
export function sampleOf(pattern: string, filling: Buffer): Buffer | undefined {
  let rest: Buffer = filling;
  const parts = parse(Buffer.from(pattern, 'utf8')).map((token) => {
    if (token.kind === 'one') return someByte(token.bytes);
    const part = rest;
    rest = Buffer.alloc(0);
    return part;
  });
  return parts.includes(undefined) ? undefined : Buffer.concat(parts.filter((part) => part !== undefined));
}

/** A letter where the class has one; undefined where it is empty. */
function someByte(bytes: Uint8Array): Buffer | undefined {
  const letter = bytes.findIndex((isIn, byte) => isIn === 1 && byte >= LETTER_A && byte <= LETTER_Z);
  const byte = letter >= 0 ? letter : bytes.indexOf(1);
  return byte < 0 ? undefined : Buffer.from([byte]);
}

function parse(pattern: Buffer): Token[] {
  const tokens: Token[] = [];
  let i = 0;
  while (i < pattern.length) {
    const byte = pattern[i] ?? 0;
    if (byte === STAR) {
      if (tokens.at(-1)?.kind !== 'any') tokens.push({ kind: 'any' });
      i++;
    } else if (byte === QUESTION) {
      tokens.push({ kind: 'one', bytes: new Uint8Array(256).fill(1) });
      i++;
    } else if (byte === OPEN) {
      const { bytes, next } = parseClass(pattern, i + 1);
      tokens.push({ kind: 'one', bytes });
      i = next;
    } else {
      const literal = byte === BACKSLASH && i + 1 < pattern.length ? ++i : i;
      const bytes = new Uint8Array(256);
      bytes[pattern[literal] ?? 0] = 1;
      tokens.push({ kind: 'one', bytes });
      i++;
    }
  }
  return tokens;
}

function parseClass(pattern: Buffer, from: number): { bytes: Uint8Array; next: number } {
  const bytes = new Uint8Array(256);
  let i = from;
  const inverted = pattern[i] === CARET;
  if (inverted) i++;
  for (; i < pattern.length && pattern[i] !== CLOSE; i++) {
    if (pattern[i] === BACKSLASH && i + 1 < pattern.length) {
      bytes[pattern[++i] ?? 0] = 1;
    } else if (pattern[i + 1] === DASH && i + 2 < pattern.length) {
      const a = pattern[i] ?? 0;
      const b = pattern[i + 2] ?? 0;
      for (let c = Math.min(a, b); c <= Math.max(a, b); c++) bytes[c] = 1;
      i += 2;
    } else {
      bytes[pattern[i] ?? 0] = 1;
    }
  }
  if (inverted) for (let c = 0; c < 256; c++) bytes[c] = bytes[c] === 1 ? 0 : 1;
  return { bytes, next: i + 1 };
}

function matches(tokens: readonly Token[], key: Buffer): boolean {
  let t = 0;
  let k = 0;
  let starToken = -1;
  let starKey = 0;
  while (k < key.length) {
    const token = tokens[t];
    if (token?.kind === 'any') {
      starToken = t++;
      starKey = k;
    } else if (token?.kind === 'one' && token.bytes[key[k] ?? 0] === 1) {
      t++;
      k++;
    } else if (starToken >= 0) {
      t = starToken + 1;
      k = ++starKey;
    } else {
      return false;
    }
  }
  while (tokens[t]?.kind === 'any') t++;
  return t === tokens.length;
}
