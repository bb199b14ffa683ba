import type { CommandWriter } from './command-writer';
import { Random } from './random';

/*
 * The mix, of 1,000 keys on average:
 *   770 strings: 620 of 50–500 bytes of JSON-like text, 70 of 50–500 random bytes, 40 whole numbers, 40 of 1–40 bytes
 *   130 hashes of 3–30 fields
 *    25 lists of 2–40 items, 20 sets of 3–40 words, 15 sets of 3–100 whole numbers, 30 sorted sets of 3–60 members
 *    10 streams of 2–20 entries, each with one group; every other one with a consumer and pending entries, some with deleted entries
 * One key in 20,000 is larger: a string of 100–500 kB, or a hash, list, set or sorted set of 2,000–6,000 members.
 * One name in 200 is odd: binary bytes, line ends, blanks, hash tags. Every third key expires, 2 hours to 14 days after it was written.
 */

const poolSize = 1 << 20;
const largeEvery = 20_000;
const hour = 3_600_000;

/** Writes the keys of one repeatable data set: key number `index` is always the same for the same seed. */
export class MixedKeys {
  private readonly random: Random;
  private readonly text: Buffer;
  private readonly noise: Buffer;

  constructor(
    private readonly seed: number,
    private readonly out: CommandWriter,
  ) {
    this.random = new Random(seed);
    this.text = jsonLikeText(this.random);
    this.noise = Buffer.from(Uint32Array.from({ length: poolSize / 4 }, () => this.random.next()).buffer);
  }

  /** Writes the commands that create one key. */
  write(index: number): void {
    const { random } = this;
    random.restart(this.seed, index);
    const kind = random.next() % 1000;
    const name = this.nameOf(index, kind);
    const expiresIn = random.oneIn(3) ? random.between(2 * hour, 14 * 24 * hour) : undefined;
    if (index % largeEvery === largeEvery - 1) this.large(name, Math.floor(index / largeEvery) % 5);
    else if (kind < 770) {
      this.string(name, kind, expiresIn);
      return;
    } else if (kind < 900) this.hash(name, random.between(3, 30));
    else if (kind < 925) this.list(name, random.between(2, 40));
    else if (kind < 945) this.set(name, random.between(3, 40));
    else if (kind < 960) this.numbers(name, random.between(3, 100));
    else if (kind < 990) this.sortedSet(name, random.between(3, 60));
    else this.stream(name, index, random.between(2, 20));
    if (expiresIn !== undefined) this.out.begin(3).text('PEXPIRE').text(name).number(expiresIn);
  }

  /** Every name holds the key's number once, so that no two are the same. */
  private nameOf(index: number, kind: number): string {
    const { random } = this;
    if (random.oneIn(200)) {
      const odd = String.fromCharCode(
        random.next() & 255,
        random.next() & 255,
        random.next() & 255,
        random.next() & 255,
      );
      return `${['\r\n', ' ', '{tag}', '\0', '"quoted" \\'][random.next() % 5] ?? ''}${odd}#${index}`;
    }
    if (kind < 400) return `user:${index}:profile`;
    if (kind < 770) return `cache:page:${random.next().toString(16)}:${index}`;
    if (kind < 900) return `session:${random.next().toString(36)}-${index}`;
    return `${['queue', 'tags', 'scores', 'events'][random.next() & 3] ?? ''}:${index}`;
  }

  private string(name: string, kind: number, expiresIn: number | undefined): void {
    const { random, out } = this;
    out
      .begin(expiresIn === undefined ? 3 : 5)
      .text('SET')
      .text(name);
    if (kind < 620) this.slice(this.text, random.between(50, 500));
    else if (kind < 690) this.slice(this.noise, random.between(50, 500));
    else if (kind < 730) out.number(random.next() - 1_000_000);
    else this.slice(this.text, random.between(1, 40));
    if (expiresIn !== undefined) out.text('PX').number(expiresIn);
  }

  private hash(name: string, fields: number): void {
    this.out
      .begin(2 + 2 * fields)
      .text('HSET')
      .text(name);
    for (let field = 0; field < fields; field++) {
      this.out.text(`field${field}`);
      this.slice(this.text, this.random.between(3, 40));
    }
  }

  private list(name: string, items: number): void {
    this.out
      .begin(2 + items)
      .text('RPUSH')
      .text(name);
    for (let item = 0; item < items; item++) this.slice(this.text, this.random.between(5, 60));
  }

  private set(name: string, members: number): void {
    this.out
      .begin(2 + members)
      .text('SADD')
      .text(name);
    for (let member = 0; member < members; member++) this.out.text(`tag-${this.random.next().toString(36)}-${member}`);
  }

  private numbers(name: string, members: number): void {
    this.out
      .begin(2 + members)
      .text('SADD')
      .text(name);
    for (let member = 0; member < members; member++) this.out.number(this.random.next() % 1_000_000);
  }

  private sortedSet(name: string, members: number): void {
    this.out
      .begin(2 + 2 * members)
      .text('ZADD')
      .text(name);
    for (let member = 0; member < members; member++) {
      this.out.number((this.random.next() % 1_000_000) / 8 - 1000).text(`player:${member}`);
    }
  }

  private stream(name: string, index: number, entries: number): void {
    const { out, random } = this;
    const first = 1_700_000_000_000 + index;
    for (let entry = 0; entry < entries; entry++) {
      out
        .begin(7)
        .text('XADD')
        .text(name)
        .text(`${first + entry}-0`)
        .text('kind')
        .text(`kind${entry & 3}`)
        .text('body');
      this.slice(this.text, random.between(5, 60));
    }
    if (entries > 4 && random.oneIn(3)) out.command('XDEL', name, `${first + 1}-0`);
    const read = random.between(0, entries - 1);
    out.command('XGROUP', 'CREATE', name, 'workers', `${first + read}-0`);
    if (random.oneIn(2)) {
      // JUSTID is answered with ids alone; FORCE makes an entry pending that nobody has read.
      const ids = [...new Set([`${first}-0`, `${first + read}-0`])];
      out.command('XCLAIM', name, 'workers', 'worker-1', '0', ...ids, 'RETRYCOUNT', '2', 'FORCE', 'JUSTID');
    }
  }

  private large(name: string, kind: number): void {
    const { random } = this;
    const members = random.between(2_000, 6_000);
    if (kind === 0) {
      this.out.begin(3).text('SET').text(name);
      this.slice(this.text, random.between(100_000, 500_000));
    } else if (kind === 1) this.hash(name, members);
    else if (kind === 2) this.list(name, members);
    else if (kind === 3) this.set(name, members);
    else this.sortedSet(name, members);
  }

  /** A word that is some part of a pool. */
  private slice(pool: Buffer, length: number): void {
    this.out.bytes(pool, this.random.next() % (pool.length - length), length);
  }
}

/** Text that compresses about as well as what applications keep in Redis. */
function jsonLikeText(random: Random): Buffer {
  const names = ['Ada', 'Grace', 'Linus', 'Edsger', 'Barbara', 'Alan', 'Margaret', 'Ken', 'Radia', 'Tim'];
  const parts: string[] = [];
  for (let length = 0; length < poolSize;) {
    const name = names[random.next() % names.length] ?? '';
    const number = random.next();
    const part =
      `{"id":${number},"name":"${name}","email":"${name.toLowerCase()}${number % 9973}@example.com",` +
      `"token":"${random.next().toString(36)}${random.next().toString(36)}","active":${random.oneIn(2)},"score":${number % 1000}}\n`;
    parts.push(part);
    length += part.length;
  }
  return Buffer.from(parts.join(''), 'latin1').subarray(0, poolSize);
}
