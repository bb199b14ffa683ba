import { Turns } from '../../src/basics/turns';

function held() {
  let end: () => void = () => undefined;
  const over = new Promise<void>((resolve) => (end = resolve));
  return {
    work: () => over,
    end: () => {
      end();
    },
  };
}

describe('turns', () => {
  it('come one after the other', async () => {
    const turns = new Turns(1);
    const order: number[] = [];
    const first = held();
    const all = [
      turns.take(first.work).then(() => order.push(1)),
      turns.take(() => Promise.resolve(order.push(2))),
      turns.take(() => Promise.resolve(order.push(3))),
    ];
    first.end();
    await Promise.all(all);
    expect([...order].sort()).toEqual([1, 2, 3]);
    expect(order.indexOf(2)).toBeLessThan(order.indexOf(3));
  });

  it('are waited for no longer than the work may last, and others come in its place', async () => {
    const turns = new Turns(1);
    const first = held();
    const one = turns.take(first.work);
    let isOver = false as boolean;
    const stopped = turns.take(
      () => Promise.reject(new Error('not to be done')),
      () => {
        if (isOver) throw new Error('over');
      },
    );
    const next = turns.take(() => Promise.resolve('done'));
    isOver = true;
    await expect(stopped).rejects.toThrow('over');
    first.end();
    await one;
    expect(await next).toBe('done');
    expect(await turns.take(() => Promise.resolve('free'))).toBe('free');
  });
});
