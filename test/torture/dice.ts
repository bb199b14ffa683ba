import { Random } from '../../demo/random';

/** Repeatable choices: the same seed makes the same ones. */
export class Dice extends Random {
  /** True in `percent` of 100 cases. */
  chance(percent: number): boolean {
    return this.next() % 100 < percent;
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.next() % items.length] ?? items[0];
  }

  /** One of the names, each as often as its weight says. */
  weighted<T extends string>(weights: Readonly<Record<T, number>>): T {
    const entries = Object.entries<number>(weights) as [T, number][];
    let left = this.next() % entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of entries) {
      if (left < weight) return name;
      left -= weight;
    }
    throw new Error('no weights');
  }
}

/** The seed of one scenario of a run. */
export function seedOf(run: number, number: number): number {
  const random = new Random(0);
  random.restart(run, number);
  return random.next();
}
