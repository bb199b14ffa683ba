import { keyAsTold, type FindingKeys } from '../migration/redact-finding';
import { AmountSums, type KeptAmounts } from './amount';
import { expiryBucket, sizeBucket } from './buckets';
import type { SurveyedKey } from './fate';
import { LONGEST_NAME, mayBeLargest, mergeLargest, type LargeKey } from './largest-keys';
import { PrefixTree, type KeptNode } from './prefix-tree';

/** When and how long ranges were read. Times in ms since 1970, durations in ms. */
export interface Pace {
  readonly firstAt: number;
  readonly lastAt: number;
  /** Spent waiting for the source's pages. */
  readonly readMs: number;
  /** Spent on ranges altogether; more than the time between first and last where ranges run side by side. */
  readonly workMs: number;
  /** Payload bytes read. */
  readonly payloadBytes: number;
}

const noPace: Pace = { firstAt: Infinity, lastAt: 0, readMs: 0, workMs: 0, payloadBytes: 0 };

/** A survey as it is kept in the ledger. */
export interface KeptSurvey {
  readonly databases: KeptAmounts;
  readonly types: KeptAmounts;
  readonly encodings: KeptAmounts;
  readonly expiries: KeptAmounts;
  readonly sizes: KeptAmounts;
  readonly fates: KeptAmounts;
  readonly largest: readonly LargeKey[];
  readonly prefixes: readonly (readonly [database: number, tree: KeptNode])[];
  readonly pace: Pace | null;
}

/** What a dry run has learnt of keys. Bounded in size however many there are; two surveys merge into one. */
export class Survey {
  readonly databases = new AmountSums();
  readonly types = new AmountSums();
  /** By "type encoding". */
  readonly encodings = new AmountSums();
  readonly expiries = new AmountSums();
  readonly sizes = new AmountSums();
  readonly fates = new AmountSums();
  private large: readonly LargeKey[] = [];
  private readonly trees = new Map<number, PrefixTree>();
  private paceSoFar: Pace = noPace;

  /** @param names `hash` where names of keys must not be written down: no prefixes then, and hashes of the largest keys */
  constructor(private readonly names: FindingKeys = 'name') {}

  static from(kept: KeptSurvey, names: FindingKeys = 'name'): Survey {
    const survey = new Survey(names);
    for (const name of sums) survey[name].merge(AmountSums.from(kept[name]));
    survey.large = kept.largest;
    for (const [database, tree] of kept.prefixes) survey.trees.set(database, PrefixTree.from(tree));
    survey.paceSoFar = kept.pace ?? noPace;
    return survey;
  }

  /** Adds keys of one database. */
  add(database: number, keys: readonly SurveyedKey[]): void {
    const large: LargeKey[] = [];
    for (const { key, facts, fates } of keys) {
      for (const fate of fates) this.fates.add(fate, 1, facts?.bytes ?? 0);
      if (facts === undefined) continue;
      const { type, encoding, bytes, expiresIn } = facts;
      this.databases.add(String(database), 1, bytes);
      this.types.add(type, 1, bytes);
      this.encodings.add(`${type} ${encoding}`, 1, bytes);
      this.expiries.add(expiryBucket(expiresIn), 1, bytes);
      this.sizes.add(sizeBucket(bytes), 1, bytes);
      if (this.names === 'name') this.tree(database).add(key, bytes);
      if (mayBeLargest(this.large, bytes)) {
        const told = keyAsTold(key, this.names);
        const name = told.toString('latin1', 0, LONGEST_NAME);
        large.push({ database, name, nameBytes: told.length, type, encoding, bytes });
      }
    }
    this.large = mergeLargest(this.large, large);
  }

  addPace(pace: Pace): void {
    const { firstAt, lastAt, readMs, workMs, payloadBytes } = this.paceSoFar;
    this.paceSoFar = {
      firstAt: Math.min(firstAt, pace.firstAt),
      lastAt: Math.max(lastAt, pace.lastAt),
      readMs: readMs + pace.readMs,
      workMs: workMs + pace.workMs,
      payloadBytes: payloadBytes + pace.payloadBytes,
    };
  }

  merge(other: Survey): void {
    for (const name of sums) this[name].merge(other[name]);
    this.large = mergeLargest(this.large, other.large);
    for (const [database, tree] of other.trees) this.tree(database).merge(tree);
    this.addPace(other.paceSoFar);
  }

  /** The largest keys, the largest first. */
  get largest(): readonly LargeKey[] {
    return this.large;
  }

  get prefixes(): ReadonlyMap<number, PrefixTree> {
    return this.trees;
  }

  /** Undefined before anything was read. */
  get pace(): Pace | undefined {
    return this.paceSoFar.lastAt === 0 ? undefined : this.paceSoFar;
  }

  toKept(): KeptSurvey {
    return {
      databases: this.databases.toKept(),
      types: this.types.toKept(),
      encodings: this.encodings.toKept(),
      expiries: this.expiries.toKept(),
      sizes: this.sizes.toKept(),
      fates: this.fates.toKept(),
      largest: this.large,
      prefixes: [...this.trees].map(([database, tree]) => [database, tree.toKept()] as const),
      pace: this.pace ?? null,
    };
  }

  private tree(database: number): PrefixTree {
    let tree = this.trees.get(database);
    if (tree === undefined) {
      tree = new PrefixTree();
      this.trees.set(database, tree);
    }
    return tree;
  }
}

const sums = ['databases', 'types', 'encodings', 'expiries', 'sizes', 'fates'] as const;
