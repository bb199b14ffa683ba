import { parseServerVersion, satisfies } from '../../../local/servers/server-names';

test('versions are read from what servers say of themselves', () => {
  expect(parseServerVersion('Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=ae\n')).toEqual({
    flavour: 'redis',
    version: '7.0.15',
  });
  expect(parseServerVersion('Valkey server v=8.1.1 sha=00000000:0 malloc=jemalloc-5.3.0\n')).toEqual({
    flavour: 'valkey',
    version: '8.1.1',
  });
  expect(parseServerVersion('nginx version: 1.2.3')).toBeUndefined();
  expect(parseServerVersion('')).toBeUndefined();
});

test('a version satisfies the name with its flavour, major and minor', () => {
  expect(satisfies('redis-7.0', { flavour: 'redis', version: '7.0.15' })).toBe(true);
  expect(satisfies('redis-7.0', { flavour: 'redis', version: '7.2.4' })).toBe(false);
  expect(satisfies('redis-8.0', { flavour: 'valkey', version: '8.0.1' })).toBe(false);
  expect(satisfies('valkey-8.1', { flavour: 'valkey', version: '8.1.1' })).toBe(true);
});
