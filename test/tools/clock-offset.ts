import type { RedisPort } from '../../src/redis/redis-port';
import { Clocks, type ClockOffset } from '../../src/transfer/clock-offset';

/** How two servers' clocks stand to each other, measured anew. */
export async function measureClockOffset(source: RedisPort, target: RedisPort): Promise<ClockOffset> {
  const clocked = (name: string, port: RedisPort) => ({
    name,
    connection: {
      runId: undefined,
      call: (...command: Parameters<RedisPort['call']>) => port.call(...command),
      pipeline: (commands: Parameters<RedisPort['pipeline']>[0]) => port.pipeline(commands),
    },
  });
  return await new Clocks().offset(clocked('SOURCE', source), clocked('TARGET', target));
}
