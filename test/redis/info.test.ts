import { infoField, infoNumber, parseKeyspace } from '../../src/redis/info';

const info = [
  '# Server',
  'redis_version:7.0.15',
  'maxmemory:0',
  'maxmemory_human:0B',
  'maxmemory_policy:noeviction',
  '# Keyspace',
  'db5:keys=300,expires=0,avg_ttl=0',
  'db0:keys=9007199254740000,expires=12,avg_ttl=1,subexpiry=3',
  'db15:keys=1,expires=1,avg_ttl=5',
  '',
].join('\r\n');

it('finds fields by their whole name', () => {
  expect(infoField(info, 'redis_version')).toBe('7.0.15');
  expect(infoField(info, 'maxmemory')).toBe('0');
  expect(infoField(info, 'redis')).toBeUndefined();
});

it('reads whole numbers and nothing else', () => {
  expect(infoNumber(info, 'maxmemory')).toBe(0);
  expect(infoNumber(info, 'maxmemory_human')).toBeUndefined();
  expect(infoNumber(info, 'absent')).toBeUndefined();
  expect(infoNumber('maxmemory:99999999999999999999', 'maxmemory')).toBeUndefined();
});

it('reads databases by their names, whatever the order and with fields to come', () => {
  expect(parseKeyspace(info)).toEqual([
    { database: 5, keys: 300, expires: 0 },
    { database: 0, keys: 9_007_199_254_740_000, expires: 12 },
    { database: 15, keys: 1, expires: 1 },
  ]);
  expect(parseKeyspace('# Keyspace\r\n')).toEqual([]);
  expect(parseKeyspace('db1:keys=999999999999999999999999,expires=0')).toEqual([
    { database: 1, keys: Number.MAX_SAFE_INTEGER, expires: 0 },
  ]);
});
