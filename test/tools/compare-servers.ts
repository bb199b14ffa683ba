import type { DifferenceKind, Problem, Tolerance } from './comparison/keys';
import { compareKeys } from './comparison/keys';
import { Side } from './comparison/side';
import { shown } from './comparison/values';

const batch = 500;

/** One thing that is not the same on both servers. */
export interface Difference extends Problem {
  /** Of the left server, or of the right one for a key that only it has. */
  readonly database: number;
  readonly key: Buffer;
  /** For people: database, key, kind and detail in one line. */
  readonly text: string;
}

/** What `compareServers` found. */
export interface Comparison {
  /** The first differences, at most `limit`. */
  readonly differences: Difference[];
  /** How many there are in all, and of each kind. */
  readonly total: number;
  readonly byKind: Partial<Record<DifferenceKind, number>>;
  /** Keys of each database as SCAN gave them. */
  readonly keys: { readonly left: Record<number, number>; readonly right: Record<number, number> };
  /** Keys that were looked at on both sides, and those that had expired on both sides by then. */
  readonly compared: number;
  readonly gone: number;
}

export interface CompareOptions extends Partial<Tolerance> {
  /** How many differences are described. Default 100. */
  readonly limit?: number;
  /**
   * Where a key of the left server is expected on the right one; undefined for a key that must not be there.
   * Default: in the same database under the same name.
   */
  readonly expectedAt?: (database: number, key: Buffer) => { database: number; key: Buffer } | undefined;
}

/**
 * Compares two servers key by key, both ways, by ordinary commands: types, whole values as bytes (where the servers' own digests of
 * them are not the same), streams with their groups, consumers and pending entries, expiries of keys (default tolerance 10 ms, each by
 * its own server's clock) and of hash fields.
 * Idle times of pending entries may differ by `idleToleranceMs`, default 2,000. Shares no code with the app. Nobody should write
 * meanwhile; keys that expire meanwhile do not matter.
 * @throws Error where a server cannot be reached, or has a key of a type that is none of Redis's own.
 */
export async function compareServers(
  left: { readonly url: string } | number,
  right: { readonly url: string } | number,
  options: CompareOptions = {},
): Promise<Comparison> {
  const sides = [new Side(urlOf(left)), new Side(urlOf(right))] as const;
  try {
    return await new Walk(await sides[0].open(), await sides[1].open(), options).run();
  } finally {
    for (const side of sides) side.close();
  }
}

class Walk {
  private readonly differences: Difference[] = [];
  private readonly byKind: Partial<Record<DifferenceKind, number>> = {};
  private readonly counts = { left: {} as Record<number, number>, right: {} as Record<number, number> };
  private readonly expected = new Map<number, Set<string>>();
  private total = 0;
  private compared = 0;
  private gone = 0;
  private readonly limit: number;
  private readonly tolerance: Tolerance;

  constructor(
    private readonly left: Side,
    private readonly right: Side,
    private readonly options: CompareOptions,
  ) {
    this.limit = options.limit ?? 100;
    this.tolerance = { toleranceMs: options.toleranceMs ?? 10, idleToleranceMs: options.idleToleranceMs ?? 2000 };
  }

  async run(): Promise<Comparison> {
    for (const database of await this.left.databases()) await this.walkLeft(database);
    for (const database of await this.right.databases()) await this.walkRight(database);
    const { differences, total, byKind, counts: keys, compared, gone } = this;
    return { differences, total, byKind, keys, compared, gone };
  }

  private async walkLeft(database: number): Promise<void> {
    const keys = await this.left.keys(database);
    this.counts.left[database] = keys.size;
    const byTarget = new Map<number, { left: Buffer; right: Buffer }[]>();
    for (const name of keys) {
      const key = Buffer.from(name, 'latin1');
      const place = this.options.expectedAt ? this.options.expectedAt(database, key) : { database, key };
      if (place === undefined) continue;
      if (!this.expected.has(place.database)) this.expected.set(place.database, new Set());
      this.expected.get(place.database)?.add(place.key.toString('latin1'));
      const waiting = byTarget.get(place.database) ?? [];
      byTarget.set(place.database, waiting);
      waiting.push({ left: key, right: place.key });
      if (waiting.length < batch) continue;
      await this.compareBatch(database, place.database, waiting);
      byTarget.delete(place.database);
    }
    for (const [target, waiting] of byTarget) await this.compareBatch(database, target, waiting);
  }

  /** Looks at what differs a second time together and a third time singly: times are exact only in short questions, and keys expire. */
  private async compareBatch(
    database: number,
    target: number,
    keys: readonly { left: Buffer; right: Buffer }[],
  ): Promise<void> {
    const look = (some: readonly { left: Buffer; right: Buffer }[]): ReturnType<typeof compareKeys> => {
      const [leftKeys, rightKeys] = [some.map((key) => key.left), some.map((key) => key.right)];
      const places = [
        { side: this.left, database },
        { side: this.right, database: target },
      ] as const;
      return compareKeys(...places, leftKeys, rightKeys, this.tolerance);
    };
    this.compared += keys.length;
    const first = await look(keys);
    this.gone += first.filter((problems) => problems === 'gone').length;
    const suspects = keys.filter((_, at) => (first[at]?.length ?? 0) > 0 && first[at] !== 'gone');
    const second = suspects.length === 0 ? [] : await look(suspects);
    for (const [at, suspect] of suspects.entries()) {
      let problems = second[at] ?? [];
      if (problems.length > 0 && this.differences.length < this.limit) problems = (await look([suspect]))[0] ?? [];
      if (problems === 'gone') this.gone++;
      else for (const problem of problems) this.report(database, suspect.left, problem);
    }
  }

  private async walkRight(database: number): Promise<void> {
    const keys = await this.right.keys(database);
    this.counts.right[database] = keys.size;
    const expected = this.expected.get(database);
    for (const name of keys) {
      if (expected?.has(name)) continue;
      const key = Buffer.from(name, 'latin1');
      const type = String(await this.right.askOne(database, 'TYPE', key));
      if (type !== 'none') this.report(database, key, { kind: 'extra', detail: `${type} is only on the right` });
    }
  }

  private report(database: number, key: Buffer, problem: Problem): void {
    this.total++;
    this.byKind[problem.kind] = (this.byKind[problem.kind] ?? 0) + 1;
    if (this.differences.length >= this.limit) return;
    const text = `db${database} ${shown(key.toString('latin1'))}: ${problem.kind}: ${problem.detail}`;
    this.differences.push({ ...problem, database, key, text });
  }
}

function urlOf(server: { readonly url: string } | number): string {
  return typeof server === 'number' ? `redis://127.0.0.1:${server}` : server.url;
}
