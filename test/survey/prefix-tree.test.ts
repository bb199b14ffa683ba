import { MOST_NODES, PrefixTree } from '../../src/survey/prefix-tree';

const none = { keys: 0, bytes: 0 };

function treeOf(keys: readonly (readonly [string | Buffer, number])[]): PrefixTree {
  const tree = new PrefixTree();
  for (const [key, bytes] of keys) tree.add(Buffer.from(key as string), bytes);
  return tree;
}

function told(tree: PrefixTree, whole = none) {
  return tree.weighty(whole).map(({ prefix, depth, keys, bytes }) => [prefix, depth, keys, bytes]);
}

it('is hierarchical by the three separators, and leaves out a prefix that says no more than a longer one', () => {
  const tree = treeOf([
    ['user:1', 10],
    ['user:2', 10],
    ['user:cart:1', 5],
    ['user:cart:2', 5],
    ['page/shop/a_1', 1],
    ['page/shop/a_2', 1],
    ['alone:1', 99],
    ['plain', 7],
  ]);
  expect(told(tree)).toEqual([
    ['user:', 0, 4, 30],
    ['user:cart:', 1, 2, 10],
    ['page/shop/a_', 0, 2, 2],
  ]);
});

it('keeps names as bytes', () => {
  const tree = treeOf([
    [Buffer.from([0xff, 0x3a, 1]), 1],
    [Buffer.from([0xff, 0x3a, 2]), 1],
  ]);
  expect(told(tree)).toEqual([['\u00ff:', 0, 2, 2]]);
});

it('does not tell what has no share worth telling', () => {
  const tree = treeOf([
    ['a:1', 10],
    ['a:2', 10],
    ['b:1', 1],
    ['b:2', 1],
  ]);
  expect(told(tree, { keys: 10_000, bytes: 1_100 })).toEqual([['a:', 0, 2, 20]]);
});

it('merges in any order to the same, also through what is kept', () => {
  const keys = Array.from({ length: 500 }, (_, i) => [`p${i % 7}:q${i % 3}:k${i}`, i] as const);
  const whole = treeOf(keys);
  const parts = [treeOf(keys.slice(0, 100)), treeOf(keys.slice(100, 450)), treeOf(keys.slice(450))];
  for (const order of [
    [0, 1, 2],
    [2, 0, 1],
  ]) {
    const merged = new PrefixTree();
    for (const i of order) merged.merge(PrefixTree.from(parts[i]!.toKept()));
    expect(told(merged).sort()).toEqual(told(whole).sort());
  }
});

it('is bounded however many prefixes there are, keeps what is large, and says how far its numbers may be off', () => {
  const trees = [0, 1, 2].map((part) => {
    const tree = new PrefixTree();
    for (let i = 0; i < 20_000; i++) {
      tree.add(Buffer.from(`session:${part}-${i}:data`), 10);
      if (i % 10 === 0) tree.add(Buffer.from(`large:${i}`), 100);
      // Comes late and again and again: what was cut off in between is not known.
      if (i > 10_000 && i % 100 === 0) tree.add(Buffer.from(`late:x:${i}`), 1);
    }
    return tree;
  });
  const merged = new PrefixTree();
  for (const tree of trees) {
    expect(countNodes(tree.toKept())).toBeLessThanOrEqual(MOST_NODES + 1);
    merged.merge(PrefixTree.from(tree.toKept()));
  }
  expect(JSON.stringify(merged.toKept()).length).toBeLessThan(300_000);
  const byName = new Map(merged.weighty(none).map((amount) => [amount.prefix, amount]));
  expect(byName.get('session:')).toMatchObject({ keys: 60_000, bytes: 600_000, atMost: { keys: 60_000 } });
  expect(byName.get('large:')).toMatchObject({ keys: 6_000, bytes: 600_000, atMost: { keys: 6_000 } });
  const late = byName.get('late:x:');
  // 3 × 99 keys in truth.
  if (late !== undefined) {
    expect(late.keys).toBeLessThanOrEqual(297);
    expect(late.atMost.keys).toBeGreaterThanOrEqual(297);
  }
});

function countNodes(kept: ReturnType<PrefixTree['toKept']>): number {
  return 1 + kept[7].reduce((sum, child) => sum + countNodes(child), 0);
}
