import { StartLimit, TooManyStartsError } from '../../src/api/start-limit';

const nothing = (): Promise<void> => Promise.resolve();

it('a burst passes, then one a second', async () => {
  let now = 0;
  const limit = new StartLimit(100, 3, () => now);
  for (let i = 0; i < 3; i++) await limit.run(nothing);
  await expect(limit.run(nothing)).rejects.toThrow(TooManyStartsError);
  now = 999;
  await expect(limit.run(nothing)).rejects.toThrow(TooManyStartsError);
  now = 1_000;
  await limit.run(nothing);
  await expect(limit.run(nothing)).rejects.toThrow(TooManyStartsError);
  now = 3_600_000;
  for (let i = 0; i < 3; i++) await limit.run(nothing);
  await expect(limit.run(nothing)).rejects.toThrow(TooManyStartsError);
});

it('so many run at once, and one that fails makes room as well', async () => {
  const limit = new StartLimit(2, 100, () => 0);
  let end: () => void = () => undefined;
  const first = limit.run(() => new Promise<void>((resolve) => (end = resolve)));
  let fail: (error: Error) => void = () => undefined;
  const second = limit.run(() => new Promise<void>((_resolve, reject) => (fail = reject)));
  await expect(limit.run(nothing)).rejects.toThrow(TooManyStartsError);
  fail(new Error('away'));
  await expect(second).rejects.toThrow('away');
  await limit.run(nothing);
  end();
  await first;
});
