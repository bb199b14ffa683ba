import { missingKeys } from '../../src/redis/missing-keys';
import { onEveryServer } from '../tools/test-server';

onEveryServer((at) => {
  it.each([true, false])('tells the places of the keys that are not there (by a script: %s)', async (useScripts) => {
    const port = await at().connect();
    const binary = Buffer.from([0xff, 0x00]);
    await at().client.flushall();
    await at().client.set(binary, '1');
    await at().client.set('', '1');
    const keys = [Buffer.from('a'), binary, Buffer.alloc(0), Buffer.from('b')];
    expect(await missingKeys(port, keys, useScripts)).toEqual([0, 3]);
    expect(await missingKeys(port, [], useScripts)).toEqual([]);
  });

  it.each([true, false])('throws what the server refuses (by a script: %s)', async (useScripts) => {
    await at().client.acl('SETUSER', 'blind', 'on', '>pw', '~*', '+@all', '-exists');
    const port = await at().connect();
    await port.call('AUTH', 'blind', 'pw');
    const error: unknown = await missingKeys(port, [Buffer.from('a')], useScripts).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ kind: 'noRight', asks: 'stop', connection: 'IT' });
    expect((error as Error).message).toMatch(/may not run (the command EXISTS|a command that is needed inside Lua)/);
  });
});
