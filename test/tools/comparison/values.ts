import type { Command, Reply, Side } from './side';

/**
 * A whole value in a form that can be compared, text as latin1 (a character a byte): a string or list as its parts in order, anything
 * else as a map (set: member → '', hash: field → value, sorted set: member → score, stream: entry id → its fields and values).
 */
export type Value = string[] | Map<string, string>;

const small = 512;
const smallBytes = 65_536;

interface Reader {
  /** Reads a small value whole, and shows by its reply where it is not. */
  first(key: Buffer): Command;
  isWhole(reply: Reply): boolean;
  parse(reply: Reply): Value;
  /** Reads a large value in parts. */
  all(side: Side, database: number, key: Buffer): Promise<Value>;
}

const text = (reply: Reply | undefined): string => (reply as Buffer).toString('latin1');

/** Both spellings of a score (0.1 and 0.10000000000000001) are the same number; so are -0 and 0, which servers turn into each other. */
function scoreOf(reply: Reply | undefined): string {
  const spelled = text(reply);
  return String(spelled === 'inf' ? Infinity : spelled === '-inf' ? -Infinity : Number(spelled));
}

function pairs(reply: Reply, valueOf: (reply: Reply | undefined) => string = text): Map<string, string> {
  const items = reply as Reply[];
  const found = new Map<string, string>();
  for (let at = 0; at < items.length; at += 2) found.set(text(items[at]), valueOf(items[at + 1]));
  return found;
}

/** Reads with HSCAN, SSCAN or ZSCAN; small values come whole with the first page. */
function scanned(command: 'HSCAN' | 'SSCAN' | 'ZSCAN', parsePage: (page: Reply) => Map<string, string>): Reader {
  return {
    first: (key) => [command, key, 0, 'COUNT', small],
    isWhole: (reply) => text((reply as Reply[])[0]) === '0',
    parse: (reply) => parsePage((reply as Reply[])[1] ?? []),
    all: async (side, database, key) => {
      const found = new Map<string, string>();
      let cursor = '0';
      do {
        const [next, page] = (await side.askOne(database, command, key, cursor, 'COUNT', 2000)) as [Buffer, Reply];
        for (const [name, value] of parsePage(page)) found.set(name, value);
        cursor = next.toString();
      } while (cursor !== '0');
      return found;
    },
  };
}

function entriesOf(reply: Reply): Map<string, string> {
  return new Map(
    (reply as [Buffer, Buffer[]][]).map(([id, words]) => [text(id), JSON.stringify(words.map((word) => text(word)))]),
  );
}

const readers: Readonly<Record<string, Reader>> = {
  string: {
    first: (key) => ['GETRANGE', key, 0, smallBytes - 1],
    isWhole: (reply) => (reply as Buffer).length < smallBytes,
    parse: (reply) => [text(reply)],
    all: async (side, database, key) => {
      const parts: string[] = [];
      for (let at = 0; ; at += 1 << 20) {
        const part = text(await side.askOne(database, 'GETRANGE', key, at, at + (1 << 20) - 1));
        if (part === '') return parts;
        parts.push(part);
      }
    },
  },
  list: {
    first: (key) => ['LRANGE', key, 0, small - 1],
    isWhole: (reply) => (reply as Reply[]).length < small,
    parse: (reply) => (reply as Reply[]).map(text),
    all: async (side, database, key) => {
      const items: string[] = [];
      for (;;) {
        const page = (await side.askOne(database, 'LRANGE', key, items.length, items.length + 4999)) as Reply[];
        if (page.length === 0) return items;
        for (const item of page) items.push(text(item));
      }
    },
  },
  hash: scanned('HSCAN', (page) => pairs(page)),
  set: scanned('SSCAN', (page) => new Map((page as Reply[]).map((member) => [text(member), '']))),
  zset: scanned('ZSCAN', (page) => pairs(page, scoreOf)),
  stream: {
    first: (key) => ['XRANGE', key, '-', '+', 'COUNT', small],
    isWhole: (reply) => (reply as Reply[]).length < small,
    parse: entriesOf,
    all: async (side, database, key) => {
      const found = new Map<string, string>();
      let from = '-';
      for (;;) {
        // Redis 6.0 has no exclusive ranges: each page begins with the last entry of the one before.
        const page = entriesOf(await side.askOne(database, 'XRANGE', key, from, '+', 'COUNT', 2000));
        const before = found.size;
        for (const [id, words] of page) found.set(id, words);
        if (found.size === before) return found;
        from = [...page.keys()].at(-1) ?? '-';
      }
    },
  },
};

/**
 * Whole values of keys whose types are known, in their order. Undefined for a key that vanished or changed its type meanwhile.
 * @throws Error for a type that is none of Redis's own.
 */
export async function readValues(
  side: Side,
  database: number,
  keys: readonly { key: Buffer; type: string }[],
): Promise<(Value | undefined)[]> {
  const used = keys.map(({ type }) => {
    const reader = readers[type];
    if (reader === undefined) throw new Error(`The comparer knows no type ${type}`);
    return reader;
  });
  const replies = await side.ask(
    database,
    used.map((reader, at) => reader.first(keys[at]!.key)),
  );
  const values: (Value | undefined)[] = [];
  for (const [at, reader] of used.entries()) {
    const reply = replies[at]!;
    if (reply instanceof Error) values.push(undefined);
    else if (reader.isWhole(reply)) values.push(reader.parse(reply));
    else values.push(await reader.all(side, database, keys[at]!.key));
  }
  return values;
}

const noKey = '0'.repeat(40);

/**
 * What the server makes of whole values (the parts of a string, list, hash, set or sorted set, the entries of a stream): the same for
 * the same values, in whatever form they are kept, though not in all versions. Undefined where it does not tell, or there is no key.
 */
export async function readDigests(
  side: Side,
  database: number,
  keys: readonly { key: Buffer; type: string }[],
): Promise<readonly (string | undefined)[]> {
  const known = keys.filter(({ type }) => type in readers).map(({ key }) => key);
  if (known.length < keys.length || known.length === 0) return [];
  const [reply] = await side.ask(database, [['DEBUG', 'DIGEST-VALUE', ...known]]);
  if (!Array.isArray(reply)) return [];
  return reply.map(String).map((digest) => (digest === noKey ? undefined : digest));
}

/** What is different between two values of the same type, or undefined. */
export function valueDifference(left: Value, right: Value): string | undefined {
  if (Array.isArray(left) && Array.isArray(right)) {
    const at = left.findIndex((part, index) => part !== right[index]);
    if (at >= 0) return `item ${at}: ${shown(left[at])} ≠ ${shown(right[at])}`;
    return left.length === right.length ? undefined : `${left.length} items ≠ ${right.length} items`;
  }
  if (Array.isArray(left) || Array.isArray(right)) return 'another type';
  for (const [name, value] of left) {
    const other = right.get(name);
    if (other !== value) return `${shown(name)}: ${shown(value)} ≠ ${shown(other)}`;
  }
  for (const [name, value] of right) if (!left.has(name)) return `${shown(name)}: nothing ≠ ${shown(value)}`;
  return undefined;
}

/** Bytes made readable: what is not printable ASCII as \xNN, long ones cut. */
export function shown(latin1: string | undefined): string {
  if (latin1 === undefined) return 'nothing';
  const cut = latin1.length > 80 ? `${latin1.slice(0, 80)}…(${latin1.length} bytes)` : latin1;
  return `"${cut.replace(/[^ -~…]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)}"`;
}
