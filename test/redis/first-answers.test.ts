import { setTimeout as sleep } from 'node:timers/promises';
import { inTime } from '../../src/redis/first-answers';

const late = () => new Error('late');

it.each([
  ['of which nothing comes is not waited for', () => 7, 'late'],
  ['is waited for while other things come from it', () => performance.now(), 'told'],
])('a server %s', async (_, heard, expected) => {
  const told = sleep(150, 'told');
  await expect(inTime(told, late, 20, heard).catch((error: unknown) => (error as Error).message)).resolves.toBe(
    expected,
  );
});

it('a server that ends its other words, and gives no answer, is late', async () => {
  let bytes = 0;
  const never = new Promise<string>(() => undefined);
  await expect(inTime(never, late, 5, () => Math.min(++bytes, 4))).rejects.toThrow('late');
  expect(bytes).toBe(5);
});
