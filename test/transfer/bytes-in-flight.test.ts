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
