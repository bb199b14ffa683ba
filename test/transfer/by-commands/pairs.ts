import type { ServerName } from '../../../local/servers/server-names';
import { startSide, stopSide, type Side } from './support';

const pairs: readonly (readonly [ServerName, ServerName])[] = [
  ['redis-8.0', 'redis-6.0'],
  ['redis-6.0', 'redis-8.0'],
  ['redis-7.0', 'redis-6.0'],
  ['valkey-8.1', 'redis-6.0'],
  ['redis-8.0', 'redis-8.0'],
];

/** Runs the tests for every pair of servers; `sides` gives the pair at hand, both empty at the start of each test. */
export function forEveryPair(tests: (sides: () => { from: Side; to: Side }) => void): void {
  describe.each(pairs)('%s to %s', (fromName, toName) => {
    let from: Side;
    let to: Side;

    beforeAll(async () => {
      [from, to] = await Promise.all([startSide(fromName), startSide(toName)]);
    }, 120_000);
    beforeEach(async () => {
      await Promise.all([from.client.flushall(), to.client.flushall()]);
    });
    afterAll(async () => {
      await Promise.all([stopSide(from), stopSide(to)]);
    });

    tests(() => ({ from, to }));
  });
}
