/** A JSON text that is one value without values in it, or the kind of those in it. */
export type JsonScan =
  /** `token` is the value as it stands: a string with its quotes, a number, true, false, null. */
  | { readonly kind: 'scalar'; readonly token: string }
  /** `{"$type": …, "$value": …}`. */
  | { readonly kind: 'typed'; readonly type: string; readonly token: string }
  /** An object or an array that holds more; `type` is its $type, if that came first. */
  | { readonly kind: 'nested'; readonly type: string }
  | { readonly kind: 'invalid'; readonly offset: number };

/** A number with more characters is no value of .NET's. Regular expressions that go back run out of stack on millions of them. */
export const LONGEST_NUMBER = 1_000;
const SPACE = '\t\n\r ';
const END_OF_LITERAL = /[^-+.\dA-Za-z]/g;
const LITERAL = /^(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)$/;

/**
 * Looks at a JSON text without building it: one pass, no recursion, no memory beyond the tokens, so that hostile
 * nesting costs nothing. What lies in nested values is not looked at.
 */
export function scanJson(text: string): JsonScan {
  const scanner = new Scanner(text);
  const first = scanner.peek();
  if (first === '[') return { kind: 'nested', type: 'array' };
  if (first === '{') return scanObject(scanner);
  const token = scanner.scalar();
  return token !== undefined && scanner.atEnd() ? { kind: 'scalar', token } : scanner.invalid();
}

function scanObject(scanner: Scanner): JsonScan {
  const members = new Map<string, string>();
  scanner.take();
  if (scanner.peek() === '}') return { kind: 'nested', type: 'object' };
  for (;;) {
    const key = scanner.string();
    if (key === undefined || scanner.peek() !== ':') return scanner.invalid();
    scanner.take();
    const next = scanner.peek();
    if (next === '{' || next === '[') return { kind: 'nested', type: typeOf(members) };
    const value = scanner.scalar();
    if (value === undefined) return scanner.invalid();
    const name = unquote(key);
    if (name !== '$type' && name !== '$value') return { kind: 'nested', type: typeOf(members) };
    members.set(name, value);
    if (scanner.peek() !== ',') break;
    scanner.take();
    scanner.peek();
  }
  if (scanner.peek() !== '}') return scanner.invalid();
  scanner.take();
  if (!scanner.atEnd()) return scanner.invalid();
  const token = members.get('$value');
  const type = typeOf(members);
  return token === undefined || type === 'object' ? { kind: 'nested', type } : { kind: 'typed', type, token };
}

function typeOf(members: ReadonlyMap<string, string>): string {
  const type = members.get('$type');
  return type?.startsWith('"') === true ? unquote(type) : 'object';
}

/** The text of a JSON string token. */
export function unquote(token: string): string {
  return JSON.parse(token) as string;
}

class Scanner {
  private at = 0;

  constructor(private readonly text: string) {}

  /** The next character that is not white space, without taking it. */
  peek(): string {
    while (this.at < this.text.length && SPACE.includes(this.text.charAt(this.at))) this.at++;
    return this.text.charAt(this.at);
  }

  take(): void {
    this.at++;
  }

  atEnd(): boolean {
    return this.peek() === '' && this.at >= this.text.length;
  }

  invalid(): JsonScan {
    return { kind: 'invalid', offset: this.at };
  }

  scalar(): string | undefined {
    if (this.peek() === '"') return this.string();
    END_OF_LITERAL.lastIndex = this.at;
    const token = this.text.slice(this.at, END_OF_LITERAL.exec(this.text)?.index);
    if (token.length > LONGEST_NUMBER ? !'-0123456789'.includes(token.charAt(0)) : !LITERAL.test(token))
      return undefined;
    this.at += token.length;
    return token;
  }

  /** A string with its quotes; undefined if it is none that JSON allows. */
  string(): string | undefined {
    const start = this.at;
    if (this.text.charAt(start) !== '"') return undefined;
    for (let end = start + 1; ; end++) {
      end = this.text.indexOf('"', end);
      if (end === -1) return undefined;
      let slashes = 0;
      while (this.text.charAt(end - 1 - slashes) === '\\') slashes++;
      if (slashes % 2 === 1) continue;
      const token = this.text.slice(start, end + 1);
      try {
        JSON.parse(token);
      } catch {
        return undefined;
      }
      this.at = end + 1;
      return token;
    }
  }
}
