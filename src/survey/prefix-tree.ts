import type { Amount } from './amount';

/** Bytes that end a segment of a name: `:` `/` `_`. */
const SEPARATORS = new Set([0x3a, 0x2f, 0x5f]);
const DEEPEST = 5;
/** A longer segment is no prefix that people gave. Bytes. */
const LONGEST_SEGMENT = 64;
/** A prefix with less of all keys and of all bytes is not told: it is one of very many, such as an id. */
const LEAST_SHARE = 0.002;
/** A tree that has grown to twice as many nodes is cut back to these. */
export const MOST_NODES = 3_000;

interface Node {
  keys: number;
  bytes: number;
  /** At most so much may have been under this prefix before the tree was cut, and not be in `keys` and `bytes`. */
  lostKeys: number;
  lostBytes: number;
  /** What the largest child that was cut off had: a child that comes (again) may have lost as much. */
  cutKeys: number;
  cutBytes: number;
  children: Map<string, Node> | undefined;
}

/** A prefix with what is under it. `atMost` is more than the amount only where the tree was cut. */
export interface PrefixAmount extends Amount {
  /** Bytes as latin1, with the separator at its end. */
  readonly prefix: string;
  /** Segments before its last one. */
  readonly depth: number;
  readonly atMost: Amount;
}

/** A node as it is kept: [segment, keys, bytes, lostKeys, lostBytes, cutKeys, cutBytes, children]. */
export type KeptNode = readonly [string, number, number, number, number, number, number, readonly KeptNode[]];

/**
 * Keys and bytes by the prefixes of names, hierarchical, in bounded memory: the smallest prefixes are cut off when there
 * are too many, and what may be missing of those that come again is known. Numbers of prefixes never cut are exact.
 */
export class PrefixTree {
  private readonly root: Node = node();
  private nodes = 0;

  static from(kept: KeptNode): PrefixTree {
    const tree = new PrefixTree();
    tree.mergeInto(tree.root, fromKept(kept));
    return tree;
  }

  add(key: Buffer, bytes: number): void {
    let at = this.root;
    addInto(at, 1, bytes);
    let start = 0;
    let depth = 0;
    const end = Math.min(key.length, DEEPEST * LONGEST_SEGMENT);
    for (let i = 0; i < end && depth < DEEPEST; i++) {
      if (!SEPARATORS.has(key[i] ?? 0)) continue;
      if (i + 1 - start > LONGEST_SEGMENT) break;
      at = this.child(at, key.toString('latin1', start, i + 1));
      addInto(at, 1, bytes);
      start = i + 1;
      depth++;
    }
    if (this.nodes > 2 * MOST_NODES) this.cut();
  }

  /** Adds another tree's amounts to this one; the other stays as it is. */
  merge(other: PrefixTree): void {
    this.mergeInto(this.root, other.root);
    if (this.nodes > 2 * MOST_NODES) this.cut();
  }

  /** The tree as JSON can hold it, cut to its bound. */
  toKept(): KeptNode {
    if (this.nodes > MOST_NODES) this.cut();
    return toKept('', this.root);
  }

  /**
   * Prefixes of at least two keys with a share of all that is worth telling, in the order of the tree. A prefix all of
   * whose keys are under one longer prefix is left out for that one.
   * @param whole what shares are of
   */
  weighty(whole: Amount): PrefixAmount[] {
    const found: PrefixAmount[] = [];
    const visit = (prefix: string, at: Node, depth: number) => {
      const children = [...(at.children ?? [])].sort(([, a], [, b]) => b.bytes - a.bytes || b.keys - a.keys);
      const through = children.length === 1 && children[0]?.[1].keys === at.keys;
      const shown = prefix !== '' && at.keys > 1 && !through && shareOf(at, whole) >= LEAST_SHARE;
      if (shown) {
        const { keys, bytes } = at;
        found.push({ prefix, depth, keys, bytes, atMost: { keys: keys + at.lostKeys, bytes: bytes + at.lostBytes } });
      }
      for (const [segment, child] of children) visit(prefix + segment, child, shown ? depth + 1 : depth);
    };
    visit('', this.root, 0);
    return found;
  }

  private child(parent: Node, segment: string): Node {
    parent.children ??= new Map();
    let child = parent.children.get(segment);
    if (child === undefined) {
      // What was lost with the parent may have been this child's.
      child = node(parent.cutKeys + parent.lostKeys, parent.cutBytes + parent.lostBytes);
      parent.children.set(segment, child);
      this.nodes++;
    }
    return child;
  }

  private mergeInto(into: Node, from: Node): void {
    addInto(into, from.keys, from.bytes);
    // Those that the other tree does not have may have been lost there.
    for (const [segment, child] of into.children ?? []) {
      if (from.children?.has(segment) !== true)
        addLoss(child, from.cutKeys + from.lostKeys, from.cutBytes + from.lostBytes);
    }
    // One that is new here begins with what may have been lost of it here.
    for (const [segment, child] of from.children ?? []) this.mergeInto(this.child(into, segment), child);
    into.lostKeys += from.lostKeys;
    into.lostBytes += from.lostBytes;
    into.cutKeys += from.cutKeys;
    into.cutBytes += from.cutBytes;
  }

  /** Keeps the MOST_NODES nodes with the most bytes. A parent has at least its child's, so what is kept hangs together. */
  private cut(): void {
    const all: { parent: Node; segment: string; child: Node; depth: number }[] = [];
    const visit = (parent: Node, depth: number) => {
      for (const [segment, child] of parent.children ?? []) {
        all.push({ parent, segment, child, depth });
        visit(child, depth + 1);
      }
    };
    visit(this.root, 0);
    all.sort((a, b) => b.child.bytes - a.child.bytes || b.child.keys - a.child.keys || a.depth - b.depth);
    for (const { parent, segment, child } of all.slice(MOST_NODES)) {
      parent.children?.delete(segment);
      parent.cutKeys = Math.max(parent.cutKeys, child.keys + child.lostKeys);
      parent.cutBytes = Math.max(parent.cutBytes, child.bytes + child.lostBytes);
    }
    this.nodes = Math.min(all.length, MOST_NODES);
  }
}

/** The share that an amount has of all keys or of all bytes, whichever is more. */
export function shareOf(amount: Amount, whole: Amount): number {
  return Math.max(amount.keys / Math.max(1, whole.keys), amount.bytes / Math.max(1, whole.bytes));
}

function node(lostKeys = 0, lostBytes = 0): Node {
  return { keys: 0, bytes: 0, lostKeys, lostBytes, cutKeys: 0, cutBytes: 0, children: undefined };
}

function addInto(into: Node, keys: number, bytes: number): void {
  into.keys += keys;
  into.bytes += bytes;
}

function addLoss(to: Node, keys: number, bytes: number): void {
  if (keys === 0) return;
  to.lostKeys += keys;
  to.lostBytes += bytes;
  for (const child of to.children?.values() ?? []) addLoss(child, keys, bytes);
}

function toKept(segment: string, at: Node): KeptNode {
  const children = [...(at.children ?? [])].map(([name, child]) => toKept(name, child));
  return [segment, at.keys, at.bytes, at.lostKeys, at.lostBytes, at.cutKeys, at.cutBytes, children];
}

function fromKept([, keys, bytes, lostKeys, lostBytes, cutKeys, cutBytes, children]: KeptNode): Node {
  return {
    keys,
    bytes,
    lostKeys,
    lostBytes,
    cutKeys,
    cutBytes,
    children: new Map(children.map((child) => [child[0], fromKept(child)])),
  };
}
