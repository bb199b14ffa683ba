import { TemporaryNames } from '../../src/transfer/by-commands';
import { CommandCopier, type CopierOptions } from '../../src/transfer/command-copier';

test.each([
  [true, 1],
  [false, 16],
])('where keys go one by one (%s), of several parts in work %d are read at a time', async (oneByOne, most) => {
  const open = new Set<string>();
  let mostOpen = 0;
  const port = {
    call: () => Promise.reject(new Error('not asked')),
    pipeline: async ([command]: readonly (readonly unknown[])[]) => {
      open.add(String(command?.[1]));
      mostOpen = Math.max(mostOpen, open.size);
      await new Promise((resolve) => setImmediate(resolve));
      return [Buffer.from('none'), null];
    },
  };
  const side = { port, scripts: false, attempt: (call: () => unknown) => call() };
  const version = { major: 8, minor: 0, valkey: false };
  const options: CopierOptions = {
    ...{ onConflict: 'replace', chunkBytes: 1_000, clockOffsetMs: 0, source: version, target: version, oneByOne },
    names: new TemporaryNames({ migration: 'm', range: 'r', generation: 1 }, []),
    placeOf: () => ({ get: () => undefined, set: () => undefined }),
    release: (key) => open.delete(String(key)),
  };
  const copier = new CommandCopier(
    { source: side, target: side } as never,
    { onTarget: (key) => key },
    options,
    { countEqual: () => Promise.resolve(0) },
    () => Promise.resolve(),
    (call) => call(),
    (copy) => copy(port, port),
    { over: () => undefined } as never,
    { check: () => undefined },
  );
  const part = (name: string) => Array.from({ length: 20 }, (_, i) => Buffer.from(`${name}${i}`));
  const [one, other] = await Promise.all([copier.copy(part('a')), copier.copy(part('b'))]);

  expect([one.counts.expired, other.counts.expired]).toEqual([20, 20]);
  expect(mostOpen).toBe(most);
});
