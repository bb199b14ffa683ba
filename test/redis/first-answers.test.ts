import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
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
  expect(bytes).toBeGreaterThanOrEqual(5);
});

it('an answer that came while this process stood still is not late', async () => {
  const listener = createServer((socket) => {
    socket.on('data', (bytes) => socket.write(bytes));
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const socket = connect((listener.address() as AddressInfo).port, '127.0.0.1');
  await once(socket, 'connect');
  const answer = once(socket, 'data').then(() => once(socket, 'data'));
  // Two answers, one after the other, and both within the time but for a standstill that is longer than all of it.
  socket.once('data', () => socket.write('second'));
  const told = inTime(
    answer.then(() => 'told'),
    late,
    200,
  );
  socket.write('first');
  const until = performance.now() + 500;
  while (performance.now() < until);
  await expect(told).resolves.toBe('told');
  socket.destroy();
  listener.close();
});
