import { isSameLife, lifeOf } from '../../src/redis/process-life';

const info = (runId: string, uptime: number, commands: number, replid = 'a') =>
  `${runId === '' ? '' : `run_id:${runId}\r\n`}uptime_in_seconds:${uptime}\r\nmaster_replid:${replid}\r\ntotal_commands_processed:${commands}\r\n`;
const before = (runId: string) => lifeOf(info(runId, 100, 1_000), 0);

it.each<[string, string, string, boolean]>([
  ['the same run id, its counters set back', 'r', info('r', 160, 5), true],
  ['another run id', 'r', info('s', 160, 2_000), false],
  ['no run id, and all goes on', '', info('', 160, 2_000), true],
  ['no run id, and it runs for less long', '', info('', 3, 2_000), false],
  ['no run id, and it runs for longer than that', '', info('', 9_000, 2_000), false],
  ['no run id, and a counter went back', '', info('', 160, 999), false],
  ['no run id, and another data set', '', info('', 160, 2_000, 'b'), false],
  ['a run id that is not told any more', 'r', info('', 160, 2_000), false],
])('%s', (_, runId, later, isSame) => {
  expect(isSameLife(before(runId), lifeOf(later, 60_000))).toBe(isSame);
});
