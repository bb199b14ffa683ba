import { StoppedError } from '../../src/migration/stop';
import { BytesInFlight } from '../../src/transfer/bytes-in-flight';

/** Whether a promise is settled once everything that can happen now has happened. */
async function isOpen(promise: Promise<unknown>): Promise<boolean> {
  let open = true;
  void promise.then(() => (open = false));
  await new Promise(setImmediate);
  return open;
}

describe('bytes in flight', () => {
  it('are taken while they fit, and waited for when they do not', async () => {
    const budget = new BytesInFlight(10);
    await budget.take(6);
    await budget.take(4);
    const third = budget.take(1);
    expect(await isOpen(third)).toBe(true);
    budget.give(4);
    await third;
  });

  it('let a share larger than all through alone', async () => {
    const budget = new BytesInFlight(10);
    await budget.take(100);
    const next = budget.take(1);
    expect(await isOpen(next)).toBe(true);
    budget.give(100);
    await next;
    const large = budget.take(100);
    expect(await isOpen(large)).toBe(true);
    budget.give(1);
    await large;
  });

  it('are given in the order they were asked for, so that a large share is not passed by for ever', async () => {
    const budget = new BytesInFlight(10);
    await budget.take(8);
    const large = budget.take(9);
    const small = budget.take(1);
    expect(await isOpen(small)).toBe(true);
    budget.give(8);
    await large;
    await small;
  });

  it('are set right once the true size is known, upwards without waiting', async () => {
    const budget = new BytesInFlight(10);
    await budget.take(5);
    budget.correct(5, 50);
    const next = budget.take(5);
    expect(await isOpen(next)).toBe(true);
    budget.correct(50, 5);
    await next;
  });

  it('give chunks a quarter whatever pages hold, and all that pages leave', async () => {
    const budget = new BytesInFlight(100);
    await budget.take(100);
    await budget.chunks.take(25);
    const more = budget.chunks.take(1);
    expect(await isOpen(more)).toBe(true);
    const page = budget.take(30);
    budget.give(60);
    await page;
    expect(await isOpen(more)).toBe(false);
    budget.chunks.correct(1, 5);
    const large = budget.chunks.take(1_000);
    budget.chunks.give(5);
    expect(await isOpen(large)).toBe(true);
    budget.chunks.give(25);
    await large;
  });
});

describe('work that has to end', () => {
  /** Ends the waiting when it is told to. */
  const stoppable = () => {
    const state = { isOver: false };
    const check = () => {
      if (state.isOver) throw new StoppedError('deadline');
    };
    return { stop: { check }, end: () => (state.isOver = true) };
  };

  it.each(['pages', 'chunks'] as const)(
    'waits no longer for %s, and keeps nothing that others may have',
    async (of) => {
      const budget = new BytesInFlight(10);
      const shares = of === 'pages' ? budget : budget.chunks;
      await shares.take(8);
      const { stop, end } = stoppable();
      const bound = of === 'pages' ? budget.until(stop) : budget.until(stop).chunks;
      const large = bound.take(100);
      const behind = shares.take(1);
      expect(await isOpen(behind)).toBe(true);
      end();
      await expect(large).rejects.toThrow(StoppedError);
      // It was first, and stood in the way.
      await behind;
      shares.give(9);
      await shares.take(10);
    },
  );

  it('gives back what it is given in the moment when it ends', async () => {
    const budget = new BytesInFlight(10);
    await budget.take(8);
    const { stop, end } = stoppable();
    const taking = budget.until(stop).take(10);
    await isOpen(taking);
    // Its share comes, and nobody takes it any more.
    end();
    budget.give(8);
    await taking.then(
      () => {
        budget.give(10);
      },
      () => undefined,
    );
    await budget.take(10);
  });
});

describe('what is held over many pages', () => {
  const MIB = 1_048_576;

  it('leaves something to others, and keeps no page from going on', async () => {
    const budget = new BytesInFlight(16 * MIB);
    expect([100 * MIB, 100 * MIB, MIB / 2, 100 * MIB].map((bytes) => budget.names.take(bytes))).toEqual(
      [4, 2, 0.5, 1].map((mib) => mib * MIB),
    );
    await budget.take(8.5 * MIB);
    const more = budget.take(MIB);
    expect(await isOpen(more)).toBe(true);
    budget.names.give(4 * MIB);
    await more;
  });

  it('is given a little in any case, and a page goes alone beside it', async () => {
    const budget = new BytesInFlight(MIB);
    expect(budget.names.take(9 * MIB)).toBe(MIB);
    expect(budget.names.take(9 * MIB)).toBe(MIB);
    await budget.take(MIB / 2);
    const next = budget.take(1);
    expect(await isOpen(next)).toBe(true);
    budget.give(MIB / 2);
    await next;
  });
});
