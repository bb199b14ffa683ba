import fc from 'fast-check';
import { inParallel } from '../../src/basics/in-parallel';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Work that takes as many turns of the event loop as its item says, and fails where it is negative. */
class Work {
  begun = 0;
  ended = 0;
  most = 0;

  readonly on = async (turns: number): Promise<string> => {
    this.begun++;
    this.most = Math.max(this.most, this.begun - this.ended);
    for (let i = 0; i < Math.abs(turns); i++) await turn();
    this.ended++;
    if (turns < 0) throw new Error(`at ${turns}`);
    return `done ${turns}`;
  };
}

describe('work in parallel', () => {
  it('comes back in order, and as much is done at the same time as may be, never more', async () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(lengths, fc.integer({ min: 1, max: 8 }), async (items, atOnce) => {
        const work = new Work();
        expect(await inParallel(items, atOnce, work.on)).toEqual(items.map((turns) => `done ${turns}`));
        expect(work.begun).toBe(items.length);
        expect(work.most).toBe(Math.min(atOnce, items.length));
      }),
    );
  });

  it('begins nothing after a failure, and tells the first when all have ended', async () => {
    const lengths = fc
      .array(fc.integer({ min: -5, max: 5 }), { maxLength: 30 })
      .filter((all) => all.some((n) => n < 0));
    await fc.assert(
      fc.asyncProperty(lengths, fc.integer({ min: 1, max: 8 }), async (items, atOnce) => {
        const work = new Work();
        const failure: unknown = await inParallel(items, atOnce, work.on).catch((error: unknown) => error);
        expect(String(failure)).toMatch(/^Error: at -\d$/);
        expect(work.ended).toBe(work.begun);
        const first = items.findIndex((turns) => turns < 0);
        expect(work.begun).toBeGreaterThan(first);
        if (atOnce === 1) expect(work.begun).toBe(first + 1);
        // Those that were at work when it failed are let end; each of the other workers began no more than it could by then.
        await turn();
        expect(work.begun).toBeLessThanOrEqual(items.length);
      }),
    );
  });

  it('waits for the slow when a quick one fails, and leaves the rest alone', async () => {
    const work = new Work();
    await expect(inParallel([50, -1, 1, 1, 1], 2, work.on)).rejects.toThrow('at -1');
    expect([work.begun, work.ended]).toEqual([2, 2]);
  });
});
