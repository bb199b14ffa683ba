import type { Abilities, Command } from './commands';
import { everyByte, many, noise } from './commands';

/** Strings, lists, hashes, sets and sorted sets in every encoding and at the borders between them. */
export function valueCommands({ fieldExpiry }: Abilities): Command[] {
  return [...strings(), ...lists(), ...hashes(), ...sets(), ...sortedSets(), ...(fieldExpiry ? expiringFields() : [])];
}

function strings(): Command[] {
  return [
    ['SET', 'string:int', '12345'],
    ['SET', 'string:int-smallest', '-9223372036854775808'],
    ['SET', 'string:int-largest', '9223372036854775807'],
    ['SET', 'string:int-too-large', '9223372036854775808'],
    ['SET', 'string:like-int', ' 12'],
    ['SET', 'string:zeros', '007'],
    ['SET', 'string:float', '0.1'],
    ['SET', 'string:embstr', 'e'.repeat(20)],
    ['SET', 'string:longest-embstr', 'e'.repeat(44)],
    ['SET', 'string:raw', 'r'.repeat(45)],
    ['SET', 'string:empty', ''],
    ['SET', 'string:every-byte', everyByte],
    ['SET', 'string:invalid-utf8', Buffer.from([0xc3, 0x28, 0xff, 0xfe, 0xed, 0xa0, 0x80])],
    ['SET', 'string:lines', 'a\r\nb\r\n$5\r\n'],
    ['SET', 'string:noise', noise(100_000)],
    ['SET', 'string:compressible', 'x'.repeat(1_000_000)],
    ['SETBIT', 'string:bitmap', 100_000, 1],
    ['PFADD', 'string:hyperloglog', ...many(500, (n) => `element${n}`)],
    ['APPEND', 'string:appended', 'grown '],
    ['APPEND', 'string:appended', 'twice'],
  ];
}

function lists(): Command[] {
  return [
    ['RPUSH', 'list:one', 'only'],
    ['RPUSH', 'list:small', 'a', '', 'b', '-1', '127', '32768', '9223372036854775807', everyByte],
    ['RPUSH', 'list:repeated', ...many(50, () => 'same')],
    ['RPUSH', 'list:long', ...many(5_000, (n) => `item ${n}`)],
    ['RPUSH', 'list:large-items', 'first', noise(70_000, 2), 'middle', noise(9_000, 3), 'last'],
  ];
}

function hashes(): Command[] {
  return [
    ['HSET', 'hash:small', 'field', 'value', '', 'empty name', 'empty value', '', '1', '2'],
    ['HSET', 'hash:binary', everyByte, everyByte, Buffer.from([0]), Buffer.from([0xff]), '\r\n', '\r\n'],
    ['HSET', 'hash:long-value', 'field', 'v'.repeat(65)],
    ['HSET', 'hash:many', ...many(700, (n) => [`field${n}`, `value${n}`]).flat()],
    ['HSET', 'hash:just-listpack', ...many(128, (n) => [`f${n}`, n]).flat()],
  ];
}

function sets(): Command[] {
  return [
    ['SADD', 'set:intset16', -32_768, 0, 32_767],
    ['SADD', 'set:intset32', 1, 2_147_483_647],
    ['SADD', 'set:intset64', 1, '9223372036854775807', '-9223372036854775808'],
    ['SADD', 'set:ints-many', ...many(700, (n) => n * 7)],
    ['SADD', 'set:small', 'a', 'b', '', Buffer.from([0, 0xff]), '12'],
    ['SADD', 'set:binary', everyByte, '\r\n'],
    ['SADD', 'set:many', ...many(700, (n) => `member${n}`)],
    ['SADD', 'set:long-member', 'm'.repeat(100), 'short'],
  ];
}

function sortedSets(): Command[] {
  const scores = [
    '-inf',
    '-1e308',
    '-1.5',
    '-0',
    '0.1',
    '3.3333333333333335',
    '9007199254740993',
    '1e308',
    '+inf',
    '5e-324',
  ];
  return [
    ['ZADD', 'zset:scores', ...scores.flatMap((score) => [score, `scored ${score}`])],
    ['ZADD', 'zset:ties', ...many(20, (n) => [1, `tie${n}`]).flat()],
    ['ZADD', 'zset:binary', 1, everyByte, 2, '', 3, '\r\n', 4, '17'],
    ['ZADD', 'zset:many', ...many(700, (n) => [(n * 7919) % 701, `member${n}`]).flat()],
    ['ZADD', 'zset:long-member', -1, 'm'.repeat(100)],
    ['GEOADD', 'zset:geo', 13.361389, 38.115556, 'Palermo', 15.087269, 37.502669, 'Catania'],
  ];
}

/** Fields that expire in the year 2100, to the millisecond, in both encodings. */
function expiringFields(): Command[] {
  const at = 4_102_444_800_000;
  return [
    ['HSET', 'hash:field-expiry', 'stays', '1', 'goes', '2', 'goes too', '3', '', '4'],
    ['HPEXPIREAT', 'hash:field-expiry', at + 123, 'FIELDS', 2, 'goes', ''],
    ['HPEXPIREAT', 'hash:field-expiry', at + 4_567, 'FIELDS', 1, 'goes too'],
    ['HSET', 'hash:all-fields-expire', 'a', '1', 'b', '2'],
    ['HPEXPIREAT', 'hash:all-fields-expire', at, 'FIELDS', 2, 'a', 'b'],
    ['HSET', 'hash:field-expiry-many', ...many(700, (n) => [`field${n}`, `value${n}`]).flat()],
    ...many(50, (n): Command => ['HPEXPIREAT', 'hash:field-expiry-many', at + n, 'FIELDS', 1, `field${n * 11}`]),
    ['HSET', 'hash:both-expiries', 'a', '1', 'b', '2'],
    ['HPEXPIREAT', 'hash:both-expiries', at + 7, 'FIELDS', 1, 'a'],
    ['PEXPIREAT', 'hash:both-expiries', at + 9],
    ['HSET', 'hash:field-expiry-undone', 'a', '1', 'b', '2'],
    ['HPEXPIREAT', 'hash:field-expiry-undone', at, 'FIELDS', 1, 'a'],
    ['HPERSIST', 'hash:field-expiry-undone', 'FIELDS', 1, 'a'],
  ];
}

/** Values of many megabytes: a hash of 2 MB, a string of 20 MB, a list of 200,000 items, a set, a sorted set and a stream of 50,000. */
export function bigCommands(): Command[] {
  const parts = (count: number, make: (from: number) => Command): Command[] =>
    many(count, (part) => make(part * 5_000));
  return [
    ['SET', 'big:string', Buffer.concat(many(20, (n) => noise(1_000_000, n + 1)))],
    ...parts(4, (from) => ['HSET', 'big:hash', ...many(5_000, (n) => [`field${from + n}`, 'v'.repeat(100)]).flat()]),
    ...parts(40, (from) => ['RPUSH', 'big:list', ...many(5_000, (n) => `item ${from + n}`)]),
    ...parts(10, (from) => ['SADD', 'big:set', ...many(5_000, (n) => `member ${from + n}`)]),
    ...parts(10, (from) => ['ZADD', 'big:zset', ...many(5_000, (n) => [from + n, `member ${from + n}`]).flat()]),
    ...many(50_000, (n): Command => ['XADD', 'big:stream', `${n + 1}-0`, 'n', n]),
    ['PEXPIREAT', 'big:hash', 4_102_444_800_999],
  ];
}
