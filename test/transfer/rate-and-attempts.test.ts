import { RedisError, replyError } from '../../src/redis/errors';
import { attempt, backOff, type Reopenable } from '../../src/transfer/attempt';
import { Governor, nextPause, type Share, type Taken } from '../../src/transfer/governor';
import { pause, SourceChangedError, StoppedError, type StopSignal } from '../../src/migration/stop';

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

function side(connection: Connection, runId?: string) {
  return { connection, runId };
}

describe('an attempt', () => {
  const troubles: (string | null)[] = [];
  const options = { stop: onwards, onTrouble: (trouble: string | null) => troubles.push(trouble) };
  beforeEach(() => troubles.splice(0));

  it('opens both sides again when either is lost in the middle', async () => {
    const [source, target] = [new Connection(), new Connection()];
    let calls = 0;
    const result = await attempt({ ...options, sides: [side(source, 'p1'), side(target)] }, () => {
      calls++;
      if (calls === 1) source.runId = undefined;
      if (calls === 2) target.runId = undefined;
      const lost = calls === 1 ? 'OLD' : 'NEW';
      return calls < 3 ? Promise.reject(new RedisError('connectionLost', lost)) : Promise.resolve('done');
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
    const target = new Connection('p', [new RedisError('connectionRefused', 'NEW')]);
    await attempt({ ...options, sides: [side(new Connection()), side(target)] }, () => Promise.resolve(1));
    expect(troubles).toEqual([expect.stringMatching(/^Connection "NEW": nothing listens there/), null]);
  });

  it('ends when the source is another process than its cursors belong to, before anything is sent to it', async () => {
    const call = jest.fn();
    const sides = [side(new Connection('other'), 'p1'), side(new Connection())];
    const error: unknown = await attempt({ ...options, sides }, call).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SourceChangedError);
    expect((error as SourceChangedError).runId).toBe('other');
    expect(call).not.toHaveBeenCalled();
  });

  it.each(['WRONGPASS no', 'ERR something', 'OOM command not allowed'])(
    'throws what will not pass by itself: %s',
    async (message) => {
      const error = replyError('OLD', message);
      const failing = () => Promise.reject(error);
      await expect(attempt({ ...options, sides: [side(new Connection())] }, failing)).rejects.toBe(error);
      expect(troubles).toEqual([]);
    },
  );

  it('ends as soon as the work must', async () => {
    const sides = [side(new Connection())];
    await expect(attempt({ ...options, sides, stop: stopped }, () => Promise.resolve(1))).rejects.toThrow(StoppedError);
    const stop = { check: jest.fn().mockReturnValueOnce(undefined).mockImplementation(stopped.check) };
    const closed = () => Promise.reject(new RedisError('connectionLost', 'OLD'));
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
  const of = (share: Partial<Share>, owedMs = 0, patienceMs = Infinity) =>
    new Governor({ ...none, ...share }, onwards, owedMs, patienceMs);

  /** Milliseconds that something takes. */
  async function time(work: () => Promise<unknown>): Promise<number> {
    const started = Date.now();
    const working = work();
    await jest.runAllTimersAsync();
    await working;
    return Date.now() - started;
  }

  /** Milliseconds until the page may begin that follows one of so many keys and bytes. */
  async function page(governor: Governor, keys: number, bytes = 0): Promise<number> {
    await call(governor, { bytes, micros: 0 });
    governor.tookKeys(keys);
    return await time(() => governor.turn());
  }

  /** Milliseconds that a call waits before it is made, of one that takes `latencyMs`. */
  async function call(governor: Governor, taken: Taken, latencyMs = 0): Promise<number> {
    const answer = async () => {
      if (latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, latencyMs));
    };
    return (await time(() => governor.through(answer, () => taken))) - latencyMs;
  }

  it('makes each page take its time', async () => {
    const governor = of({ keysPerSecond: 1_000 });
    expect(await page(governor, 500)).toBe(500);
    expect(await page(governor, 250)).toBe(250);
  });

  it('counts bytes too, one after the other', async () => {
    const governor = of({ keysPerSecond: 1_000, bytesPerSecond: 10_000 });
    expect(await page(governor, 500, 1_000)).toBe(600);
    expect(await page(governor, 0, 20_000)).toBe(2_000);
  });

  it('does not let anybody save time up', async () => {
    const governor = of({ keysPerSecond: 1_000 });
    jest.advanceTimersByTime(3_600_000);
    expect(await page(governor, 1_000)).toBe(1_000);
  });

  it('of 0 is none', async () => {
    const governor = of({});
    expect(await page(governor, 1_000_000, 1e9)).toBe(0);
    expect(await call(governor, { bytes: 1e9, micros: 900_000 }, 1_000)).toBe(0);
    expect(governor.slowestMicros()).toBe(0);
    expect(governor.mostKeys()).toBe(2_000);
  });

  it('ends with the work', async () => {
    const slow = new Governor({ ...none, keysPerSecond: 1 }, stopped);
    slow.tookKeys(1_000);
    await expect(slow.turn()).rejects.toThrow(StoppedError);
    await expect(pause(1_000, stopped)).rejects.toThrow(StoppedError);
  });

  it('is paid off by whoever goes on with the work', async () => {
    const first = of({ bytesPerSecond: 1_000 });
    await call(first, { bytes: 50_000, micros: undefined });
    const second = of({ bytesPerSecond: 1_000 }, first.owedMs);
    jest.advanceTimersByTime(20_000);
    expect(await time(() => second.turn())).toBe(30_000);
  });

  it('is paid off sooner with a larger share, also by one that waits already', async () => {
    const governor = of({ keysPerSecond: 10, bytesPerSecond: 1_000 });
    governor.tookKeys(1_000);
    expect([governor.owedMs, governor.mostKeys()]).toEqual([100_000, 2]);
    const started = Date.now();
    const waiting = governor.turn();
    await jest.advanceTimersByTimeAsync(20_000);
    governor.keepWithin({ ...none, keysPerSecond: 80, bytesPerSecond: 8_000 });
    expect([governor.owedMs, governor.mostKeys()]).toEqual([10_000, 20]);
    await jest.runAllTimersAsync();
    await waiting;
    expect(Date.now() - started).toBe(30_000);
    const bytes = of({ bytesPerSecond: 1_000 });
    await call(bytes, { bytes: 8_000, micros: undefined });
    bytes.keepWithin({ ...none, bytesPerSecond: 2_000 });
    expect(bytes.owedMs).toBe(4_000);
  });

  it('lets a page end that owes more than its time: later its place could not be kept', async () => {
    const governor = of({ bytesPerSecond: 1_000 }, 0, 10_000);
    expect(await call(governor, { bytes: 60_000, micros: undefined })).toBe(0);
    expect(await call(governor, { bytes: 60_000, micros: undefined })).toBe(10_000);
    expect(await call(governor, { bytes: 0, micros: undefined })).toBe(0);
    expect(await time(() => governor.turn())).toBe(110_000);
    expect(await call(governor, { bytes: 20_000, micros: undefined })).toBe(0);
    expect(await call(governor, { bytes: 0, micros: undefined })).toBe(10_000);
  });

  it('keeps pages so small that a rate is kept within moments', async () => {
    expect(of({ keysPerSecond: 100 }).mostKeys()).toBe(25);
    expect(of({ keysPerSecond: 3 }).mostKeys()).toBe(1);
    const governor = of({ bytesPerSecond: 10_000 });
    expect(governor.mostKeys()).toBe(1);
    await page(governor, 10, 1_000);
    expect(governor.mostKeys()).toBe(200);
    for (let i = 0; i < 12; i++) await page(governor, 1, 5_000);
    expect(governor.mostKeys()).toBe(4);
    for (let i = 0; i < 12; i++) await page(governor, 1, 300_000);
    expect(governor.mostKeys()).toBe(1);
  });

  /** What each of so many calls waits, all answered alike. */
  async function calls(governor: Governor, times: number, latencyMs: number, micros?: number): Promise<number[]> {
    const all: number[] = [];
    for (let i = 0; i < times; i++) all.push(await call(governor, { bytes: 0, micros }, latencyMs));
    return all;
  }

  it('pauses longer and longer while the source is slow', async () => {
    const governor = of({ maxSourceLatencyMs: 5 });
    expect(await calls(governor, 16, 6, 5_000)).toEqual(Array(16).fill(0));
    await calls(governor, 15, 7, 5_000);
    expect(await calls(governor, 1, 7, 5_000)).toEqual([0]);
    const slow = await calls(governor, 160, 7, 5_000);
    expect(slow.filter((_, i) => i % 16 === 1)).toEqual([1, 2, 4, 8, 16, 32, 64, 100, 100, 100]);
    expect(governor.slowestMicros()).toBe(5_000);
    expect(governor.slowestMicros()).toBe(0);
  });

  it('pauses ever less once the source is quick again', () => {
    let pauseMs = 100;
    for (let i = 0; i < 11; i++) pauseMs = nextPause(pauseMs, 5, 5);
    expect(pauseMs).toBeCloseTo(1.16, 2);
    expect(nextPause(pauseMs, 5, 5)).toBe(0);
  });

  it('pauses no longer than fifty times the limit', () => {
    expect([nextPause(8, 9, 0.2), nextPause(8, 9, 2), nextPause(64, 9, 2), nextPause(0, 9, 0.01)]).toEqual([
      10, 16, 100, 1,
    ]);
  });

  it('does not take a long way for a slow source, whether the server tells of its work or not', async () => {
    const governor = of({ maxSourceLatencyMs: 2 });
    for (let i = 0; i < 24; i++) {
      expect(await calls(governor, 1, 41, 1_000)).toEqual([0]);
      expect(await calls(governor, 1, 60)).toEqual([0]);
    }
  });

  it('does not take single slow answers for a slow source', async () => {
    const governor = of({ maxSourceLatencyMs: 2 });
    for (let i = 0; i < 10; i++) {
      expect(await calls(governor, 15, 30, 1_000)).toEqual(Array(15).fill(0));
      expect(await calls(governor, 1, 2, 1_000)).toEqual([0]);
    }
  });

  it('on latency lets one call to the source go after the other, and a failed one keeps nobody back', async () => {
    const governor = of({ maxSourceLatencyMs: 2 });
    let [running, most] = [0, 0];
    const work = (fails: boolean) => async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 10));
      running--;
      if (fails) throw new Error('refused');
    };
    const all = Promise.allSettled(
      [false, true, false].map((fails) => governor.through(work(fails), () => ({ bytes: 0, micros: 0 }))),
    );
    await jest.runAllTimersAsync();
    expect((await all).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(most).toBe(1);
  });
});
