import { runScript, scripts } from '../../src/redis/scripts';
import type { Command, RedisPort } from '../../src/redis/redis-port';
import { onEveryServer } from '../tools/test-server';

/** A port that notes the names of what passes. */
function noting(port: RedisPort): RedisPort & { readonly names: string[] } {
  const names: string[] = [];
  return {
    names,
    call: (...command: Command) => {
      names.push(command[0]);
      return port.call(...command);
    },
    pipeline: (commands) => port.pipeline(commands),
  };
}

onEveryServer((at) => {
  it('gives a script by its hash, and whole only to a server that does not know it', async () => {
    await at().client.script('FLUSH');
    const port = noting(await at().connect());
    const [key] = [Buffer.from([0xff, 0x00])];
    expect(await runScript(port, scripts.missing, [key], [])).toEqual([expect.any(Number), 1]);
    expect(await runScript(port, scripts.missing, [key], [])).toEqual([expect.any(Number), 1]);
    await at().client.script('FLUSH');
    expect(await runScript(port, scripts.missing, [key], [])).toEqual([expect.any(Number), 1]);
    expect(port.names).toEqual(['EVALSHA', 'EVAL', 'EVALSHA', 'EVALSHA', 'EVAL']);
  });

  it('throws the error of a script as it is', async () => {
    const port = await at().connect();
    await expect(runScript(port, scripts.scan, [], ['no cursor', '10', '0'])).rejects.toMatchObject({
      kind: 'wrongCursor',
    });
  });

  it('reads in scripts without writing: the source counts no change', async () => {
    const { client } = at();
    await client.flushall();
    await client.set('a', '1', 'PX', 100_000);
    const changes = async () => /rdb_changes_since_last_save:(\d+)/.exec(await client.info('persistence'))?.[1];
    const before = await changes();
    const port = await at().connect();
    await runScript(port, scripts.scanAndRead, [], ['0', '10', '1000', '1000', '1']);
    await runScript(port, scripts.scan, [], ['0', '10', '1']);
    await runScript(port, scripts.read, ['a'], ['1000', '1000', '1']);
    expect(await changes()).toBe(before);
  });
});
