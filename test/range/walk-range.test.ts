import type { Counts } from '../../src/migration/counts';
import type { KeyFinding } from '../../src/migration/rows';
import { StoppedError } from '../../src/migration/stop';
import { PagePlace } from '../../src/range/page-place';
import type { RangeJob } from '../../src/range/range-job';
import type { Rounds } from '../../src/range/suspects';
import { walkRange, type Mode, type Outcome } from '../../src/range/walk-range';
import { BytesInFlight } from '../../src/transfer/bytes-in-flight';
import { Governor } from '../../src/transfer/governor';
import type { Origin } from '../../src/transfer/side';
import { everything } from '../transfer/walking';

/** Pages of one key each: a, b, c; their cursors are the places of the next ones. */
const names = ['a', 'b', 'c'];

const noLimits = { keysPerSecond: 0, bytesPerSecond: 0, maxSourceLatencyMs: 0, parallelRanges: 0 };

/** Walks the three pages with a mode and gives what came into the row: cursors as they moved, counts that belong to them, findings. */
async function walked<S>(mode: Pick<Mode<S>, 'work' | 'secondLook'>, limits: Partial<typeof noLimits> = {}) {
  const cursors: bigint[] = [];
  const counted: Partial<Counts>[] = [];
  const findings: string[] = [];
  const ahead: string[] = [];
  let isAllCounted = true;
  const check = () => undefined;
  const job = {
    migration: { plan: { request: { limits: { ...noLimits, ...limits } }, databases: [] } },
    row: { cursor: '0', index: 0, bits: 0 },
    place: new PagePlace(),
    governor: new Governor({ keysPerSecond: 0, bytesPerSecond: 0, maxSourceLatencyMs: 0 }, { check }),
    check,
    progressed: () => undefined,
    beginsWork: () => {
      isAllCounted = false;
    },
    allCounted: () => {
      isAllCounted = true;
    },
    addAhead: (_: Partial<Counts>, __: readonly KeyFinding[], keys: readonly Buffer[]) => {
      ahead.push(...keys.map(String));
      return Promise.resolve();
    },
    add: (counts: Partial<Counts>, found: readonly KeyFinding[], next: bigint | undefined, moved?: () => void) => {
      counted.push({ ...counts, findings: found.length });
      findings.push(...found.map(({ key }) => key.toString()));
      if (next === undefined) return Promise.resolve();
      cursors.push(next);
      moved?.();
      return Promise.resolve();
    },
    beyondDeadline: (_: number, work: () => Promise<unknown>) => work(),
    withoutFormer: (found: readonly KeyFinding[]) => Promise.resolve(found),
  } as unknown as RangeJob;
  const origin = {
    reader: {
      scan: (cursor: bigint) => {
        const place = Number(cursor);
        return Promise.resolve({
          next: BigInt((place + 1) % names.length),
          keys: [Buffer.from(names[place] ?? '')],
          types: [],
          micros: 1,
        });
      },
    },
    expectedKeys: 3,
    cursorOrder: false,
    attempt: (call: () => Promise<unknown>) => call(),
  } as unknown as Origin;
  const budget = new BytesInFlight(10_000_000);
  const app = { budget, settings: { pageMicros: 2_000 } };
  const error = await walkRange<S>(job, app, origin, {
    selection: everything,
    converters: [],
    wantsValues: () => false,
    ...mode,
  }).catch((thrown: unknown) => thrown);
  return { cursors, counted, findings, error, ahead, isAllCounted };
}

const nameOf = (part: { readonly page: { readonly keys: readonly Buffer[] } }) => String(part.page.keys[0]);
const done: Outcome = { counts: { scanned: 1 } };
const rounds: Rounds = { looks: 3, everyMs: 1, most: 1, holdMs: 60_000 };
const stopped = () => Promise.reject(new StoppedError('deadline'));

it('moves the cursor in the order of the walk, whatever is done first', async () => {
  const ended: string[] = [];
  const { cursors } = await walked({
    work: async (part) => {
      await new Promise((resolve) => setTimeout(resolve, nameOf(part) === 'a' ? 30 : 1));
      ended.push(nameOf(part));
      return done;
    },
  });
  expect(ended[0]).not.toBe('a');
  expect(cursors).toEqual([1n, 2n, 0n]);
});

it('keeps the cursor before a part that was not done, whatever was done behind it', async () => {
  const { cursors, error } = await walked({
    work: async (part) => {
      if (nameOf(part) !== 'a') return done;
      await new Promise((resolve) => setTimeout(resolve, 20));
      throw new StoppedError('deadline');
    },
  });
  expect(error).toBeInstanceOf(StoppedError);
  expect(cursors).toEqual([]);
});

it('counts what was done before the part at which it had to stop', async () => {
  const { cursors } = await walked({
    work: async (part) => {
      await new Promise((resolve) => setTimeout(resolve, nameOf(part) === 'a' ? 20 : 1));
      return nameOf(part) === 'b' ? await stopped() : done;
    },
  });
  expect(cursors).toEqual([1n]);
});

it('knows that all that was written is counted where parts stopped before they wrote anything, and tells no key of those', async () => {
  const { cursors, ahead, isAllCounted } = await walked({
    work: ({ page }) => {
      if (String(page.keys[0]) === 'a') return Promise.resolve(done);
      return Promise.resolve({ ...done, stopped: { by: new StoppedError('deadline'), before: page.keys } });
    },
  });
  expect({ cursors, ahead, isAllCounted }).toEqual({ cursors: [1n], ahead: [], isAllCounted: true });
});

it.each<[string, string[]]>([
  ['a part was broken off', ['b']],
  ['a part behind the page that is told was done', ['a']],
])('knows that something that was written is not counted where %s', async (_, stopping) => {
  const { isAllCounted } = await walked({
    work: ({ page }) => {
      if (!stopping.includes(String(page.keys[0]))) return Promise.resolve({ counts: { scanned: 1, copied: 1 } });
      if (stopping[0] === 'b') return stopped();
      return Promise.resolve({ ...done, stopped: { by: new StoppedError('deadline'), before: page.keys } });
    },
  });
  expect(isAllCounted).toBe(false);
});

it('keeps the cursor before suspects until they were looked at again', async () => {
  let looks = 0;
  const { cursors, counted, findings } = await walked<string>({
    work: (part) => Promise.resolve({ ...done, suspects: nameOf(part) === 'b' ? ['b'] : [] }),
    secondLook: {
      rounds: { ...rounds, most: 2 },
      look: (suspects) => {
        looks++;
        return Promise.resolve({
          counts: {},
          wrong: suspects.map((suspect) => ({
            suspect,
            finding: { key: Buffer.from(suspect), code: 'missing', message: '' },
          })),
        });
      },
      end: (wrong) => Promise.resolve({ counts: { missing: wrong.length }, findings: wrong }),
    },
  });
  expect(looks).toBe(2);
  expect(cursors).toEqual([1n, 0n]);
  expect(findings).toEqual(['b']);
  expect(counted.at(-1)).toMatchObject({ missing: 1, findings: 1 });
});

it('a suspect that turns out right is counted as what it is, and is no finding', async () => {
  const { findings, counted } = await walked<string>({
    work: (part) => Promise.resolve({ ...done, suspects: [nameOf(part)] }),
    secondLook: {
      rounds,
      look: () => Promise.resolve({ counts: { same: 1 }, wrong: [] }),
      end: (wrong) => Promise.resolve({ counts: { missing: wrong.length }, findings: wrong }),
    },
  });
  expect(findings).toEqual([]);
  expect(counted.reduce((sum, { same = 0 }) => sum + same, 0)).toBe(3);
});

it('keeps the cursor before suspects whose second look was stopped, whatever was done behind them', async () => {
  const { cursors, error } = await walked<string>({
    work: (part) => Promise.resolve({ ...done, suspects: nameOf(part) === 'a' ? ['a'] : [] }),
    secondLook: { rounds, look: stopped, end: () => Promise.resolve({ counts: {}, findings: [] }) },
  });
  expect(error).toBeInstanceOf(StoppedError);
  expect(cursors).toEqual([]);
});

it('looks at suspects again before it hands on, so that the cursor gets behind them', async () => {
  const { cursors, error, findings } = await walked<string>({
    work: (part) => (nameOf(part) === 'c' ? stopped() : Promise.resolve({ ...done, suspects: [nameOf(part)] })),
    secondLook: {
      rounds: { ...rounds, most: 10 },
      look: () => Promise.resolve({ counts: { same: 1 }, wrong: [] }),
      end: (wrong) => Promise.resolve({ counts: {}, findings: wrong }),
    },
  });
  expect(error).toBeInstanceOf(StoppedError);
  expect(cursors).toEqual([2n]);
  expect(findings).toEqual([]);
});

it('works on one part at a time where bytes are limited', async () => {
  let atWork = 0;
  let most = 0;
  await walked(
    {
      work: async () => {
        most = Math.max(most, ++atWork);
        await new Promise((resolve) => setTimeout(resolve, 5));
        atWork--;
        return done;
      },
    },
    { bytesPerSecond: 1_000 },
  );
  expect(most).toBe(1);
});

it('tells what is kept beside the row in the moment when the cursor moves, and not of a part that waits', async () => {
  const moved: string[] = [];
  await walked({
    work: (part) =>
      Promise.resolve({
        ...done,
        moved: () => {
          moved.push(nameOf(part));
        },
      }),
  });
  expect(moved).toEqual(['a', 'b', 'c']);
});
