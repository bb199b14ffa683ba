import { writeParts, type RangeWriting } from '../../src/copy/copy-range';
import { StoppedError } from '../../src/migration/stop';
import type { RangeJob } from '../../src/range/range-job';
import type { Part } from '../../src/transfer/range-pages';

const part = (name: string, next: bigint): Part => ({
  page: { keys: [Buffer.from(name)], expiries: [0], payloads: [Buffer.from('payload')], bytes: 7, micros: 1 },
  counts: { scanned: 1 },
  claims: [],
  next,
  taken: 0,
});

/** Writes parts of which the first is stopped by the deadline while it is written, and the second is not. */
async function written(): Promise<bigint[]> {
  const cursors: bigint[] = [];
  let calls = 0;
  const writing = {
    byCommands: false,
    context: {
      payloads: { passageOf: () => 'as-is' },
      writer: { write: () => Promise.resolve([]) },
      clockOffset: 0,
      tookOver: false,
      attemptWrite: async (call: () => Promise<unknown>) => {
        if (calls++ > 0) return await call();
        await new Promise((resolve) => setTimeout(resolve, 20));
        throw new StoppedError('deadline');
      },
    },
  } as unknown as RangeWriting;
  const job = {
    migration: { plan: { request: { limits: { bytesPerSecond: 0 } } } },
    add: (_counts: unknown, _findings: unknown, next: bigint) => Promise.resolve(cursors.push(next)),
  } as unknown as RangeJob;
  async function* parts() {
    await Promise.resolve();
    yield part('a', 1n);
    yield part('b', 2n);
    yield part('c', 3n);
  }
  const app = { budget: { give: () => undefined } } as unknown as Parameters<typeof writeParts>[3];
  await expect(writeParts(parts(), writing, job, app)).rejects.toBeInstanceOf(StoppedError);
  return cursors;
}

it('a part that was not written keeps the cursor before it, whatever was written behind it', async () => {
  expect(await written()).toEqual([]);
});
