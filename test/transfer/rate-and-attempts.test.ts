import { attempt, backOff, type Reopenable } from '../../src/transfer/attempt';
import { Governor, nextPause, type Spent } from '../../src/transfer/governor';
import { pause, SourceChangedError, StoppedError, type StopSignal } from '../../src/transfer/stop';

const onwards: StopSignal = { check: () => undefined };
const stopped: StopSignal = {
  check: () => {
    throw new StoppedError('cancelled');
  },
};

/** A connection that can be lost, and that comes back to the process of `runId`. */
class Connection implements Reopenable {
  runId: string | undefined;
  opened = 0;
  constructor(
    private readonly process = 'p1',
    private readonly refusals: Error[] = [],
  ) {}
  ready(): Promise<void> {
    this.opened++;
    const refusal = this.refusals.shift();
    if (refusal !== undefined) return Promise.reject(refusal);
    this.runId = this.process;
    return Promise.resolve();
  }
}

function side(connection: Connection, name: string, runId?: string) {
  return { connection, name, runId };
}

describe('an attempt', () => {
  const troubles: (string | null)[] = [];
  const options = { stop: onwards, onTrouble: (trouble: string | null) => troubles.push(trouble) };
  beforeEach(() => troubles.splice(0));

  it('opens both sides again when either is lost in the middle', async () => {
    const [source, target] = [new Connection(), new Connection()];
    let calls = 0;
    const result = await attempt({ ...options, sides: [side(source, 'OLD', 'p1'), side(target, 'NEW')] }, () => {
      calls++;
      if (calls === 1) source.runId = undefined;
      if (calls === 2) target.runId = undefined;
      return calls < 3 ? Promise.reject(new Error('Connection is closed.')) : Promise.resolve('done');
    });
    expect(result).toBe('done');
    expect([source.opened, target.opened]).toEqual([2, 2]);
    expect(troubles.map((trouble) => trouble?.slice(0, 16))).toEqual([
      'Connection "OLD"',
      'Connection "NEW"',
      undefined,
    ]);
  });

  it('tells whose connection cannot be opened', async () => {
    const target = new Connection('p', [new Error('connect ECONNREFUSED 10.0.0.1:1')]);
    await attempt({ ...options, sides: [side(new Connection(), 'OLD'), side(target, 'NEW')] }, () =>
      Promise.resolve(1),
    );
    expect(troubles).toEqual(['Connection "NEW": nothing listens there (connection refused).', null]);
  });

  it('ends when the source is another process than its cursors belong to, before anything is sent to it', async () => {
    const call = jest.fn();
    const sides = [side(new Connection('other'), 'OLD', 'p1'), side(new Connection(), 'NEW')];
    const error: unknown = await attempt({ ...options, sides }, call).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SourceChangedError);
    expect((error as SourceChangedError).runId).toBe('other');
    expect(call).not.toHaveBeenCalled();
  });

  it.each(['WRONGPASS no', 'ERR something', 'OOM command not allowed'])(
    'throws what will not pass by itself: %s',
    async (message) => {
      const failing = () => Promise.reject(new Error(message));
      await expect(attempt({ ...options, sides: [side(new Connection(), 'OLD')] }, failing)).rejects.toThrow(message);
      expect(troubles).toEqual([]);
    },
  );

  it('ends as soon as the work must', async () => {
    const sides = [side(new Connection(), 'OLD')];
    await expect(attempt({ ...options, sides, stop: stopped }, () => Promise.resolve(1))).rejects.toThrow(StoppedError);
    const stop = { check: jest.fn().mockReturnValueOnce(undefined).mockImplementation(stopped.check) };
    const closed = () => Promise.reject(new Error('Connection is closed.'));
    await expect(attempt({ ...options, sides, stop }, closed)).rejects.toThrow(StoppedError);
  });
});

it('waits longer from try to try, up to a bound, and not all workers the same', () => {
  const delays = [0, 1, 2, 3, 4, 5, 6, 100].map((tries) => backOff(tries, 0.5));
  expect(delays).toEqual([100, 200, 400, 800, 1_600, 3_000, 3_000, 3_000]);
  expect([backOff(0, 0), backOff(0, 1)].map(Math.round)).toEqual([80, 120]);
});

describe('the share of a range', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const none = { keysPerSecond: 0, bytesPerSecond: 0, maxSourceLatencyMs: 0 };

  /** Milliseconds that spending takes. */
  async function cost(governor: Governor, spent: Spent): Promise<number> {
    const started = Date.now();
    const spending = governor.spend(spent, onwards);
    await jest.runAllTimersAsync();
    await spending;
    return Date.now() - started;
  }

  it('makes each page take its time', async () => {
    const governor = new Governor({ ...none, keysPerSecond: 1_000 });
    expect(await cost(governor, { keys: 500 })).toBe(500);
    expect(await cost(governor, { keys: 250 })).toBe(250);
  });

  it('counts bytes too, and the scarcer of both decides', async () => {
    const governor = new Governor({ ...none, keysPerSecond: 1_000, bytesPerSecond: 10_000 });
    expect(await cost(governor, { keys: 500, bytes: 1_000 })).toBe(500);
    expect(await cost(governor, { keys: 1, bytes: 20_000 })).toBe(2_000);
  });

  it('does not let anybody save time up', async () => {
    const governor = new Governor({ ...none, keysPerSecond: 1_000 });
    jest.advanceTimersByTime(3_600_000);
    expect(await cost(governor, { keys: 1_000 })).toBe(1_000);
  });

  it('of 0 is none', async () => {
    expect(
      await cost(new Governor(none), { keys: 1_000_000, bytes: 1e9, answer: { latencyMs: 1_000, serverMs: 900 } }),
    ).toBe(0);
  });

  it('ends with the work', async () => {
    const slow = new Governor({ ...none, keysPerSecond: 1 });
    await expect(slow.spend({ keys: 1_000 }, stopped)).rejects.toThrow(StoppedError);
    await expect(pause(1_000, stopped)).rejects.toThrow(StoppedError);
  });

  /** What each of so many pages costs, all answered alike. */
  async function costs(governor: Governor, pages: number, latencyMs: number, serverMs: number): Promise<number[]> {
    const all: number[] = [];
    for (let i = 0; i < pages; i++) all.push(await cost(governor, { keys: 1, answer: { latencyMs, serverMs } }));
    return all;
  }

  it('pauses longer and longer while the source is slow, and ever less once it is not', async () => {
    const governor = new Governor({ ...none, maxSourceLatencyMs: 5 });
    expect(await costs(governor, 16, 6, 5)).toEqual(Array(16).fill(0));
    const slow = await costs(governor, 160, 6.1, 5);
    expect(slow.filter((_, i) => i % 16 === 15)).toEqual([1, 2, 4, 8, 16, 32, 64, 100, 100, 100]);
    let pauseMs = 100;
    for (let i = 0; i < 11; i++) pauseMs = nextPause(pauseMs, { atSourceMs: 5, workMs: 5, limitMs: 5 });
    expect(pauseMs).toBeCloseTo(1.16, 2);
    expect(nextPause(pauseMs, { atSourceMs: 5, workMs: 5, limitMs: 5 })).toBe(0);
    expect(nextPause(pauseMs, { atSourceMs: 50, workMs: 5, limitMs: 0 })).toBe(0);
  });

  it('pauses no longer than a hundred times the work of a page', () => {
    const busy = { atSourceMs: 9, limitMs: 0.5 };
    expect(nextPause(8, { ...busy, workMs: 0.1 })).toBe(10);
    expect(nextPause(8, { ...busy, workMs: 2 })).toBe(16);
    expect(nextPause(0, { ...busy, workMs: 0 })).toBe(1);
  });

  it('does not take a long way for a slow source', async () => {
    const governor = new Governor({ ...none, maxSourceLatencyMs: 2 });
    expect(await costs(governor, 48, 41, 1)).toEqual(Array(48).fill(0));
  });

  it('does not take single slow answers for a slow source', async () => {
    const governor = new Governor({ ...none, maxSourceLatencyMs: 2 });
    for (let i = 0; i < 10; i++) {
      expect(await costs(governor, 15, 30, 1)).toEqual(Array(15).fill(0));
      expect(await costs(governor, 1, 2, 1)).toEqual([0]);
    }
  });
});
