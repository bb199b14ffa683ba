import type { Command } from './commands';
import { everyByte, many, noise } from './commands';

const far = 4_102_444_800_000; // 2100-01-01

/** Ordinary values under odd names: empty, binary, with line ends, tags, glob characters, very long. */
export function nameCommands(): Command[] {
  const names: (string | Buffer)[] = [
    '',
    ' ',
    '\r\n',
    'a\r\nb\r\n',
    '$-1\r\n',
    '{tag}',
    '{}',
    '{}x',
    'a{b',
    'a}b{c}d',
    '{a}{b}',
    '{{a}}',
    '*',
    '?',
    '[a-z]*',
    '\\',
    '"quoted"',
    "it's",
    'ключ',
    '鍵',
    '🔑',
    'n'.repeat(10_000),
    noise(100_000, 9),
    everyByte,
    Buffer.from([0xc3, 0x28]),
    ...many(256, (byte) => Buffer.from([byte])),
  ];
  return names.map((name, at): Command => ['SET', name, `value ${at}`]);
}

/** Keys with expiries: to the millisecond, near enough to matter and far enough to stay for a test, and as far as it goes. */
export function expiryCommands(now: number): Command[] {
  return [
    ...many(200, (n): Command => ['SET', `expiry:${n}`, n]),
    ...many(200, (n): Command => ['PEXPIREAT', `expiry:${n}`, n % 2 === 0 ? far + n : now + 3_600_000 + n * 1_237]),
    ['SET', 'expiry:farthest', 'x'],
    ['PEXPIREAT', 'expiry:farthest', 1e15],
    ['SET', 'expiry:undone', 'x', 'PX', 100_000],
    ['PERSIST', 'expiry:undone'],
    ['RPUSH', 'expiry:list', 'a'],
    ['PEXPIREAT', 'expiry:list', far + 1],
    ['HSET', 'expiry:hash', 'a', 'b'],
    ['PEXPIREAT', 'expiry:hash', far + 2],
    ['SADD', 'expiry:set', 'a'],
    ['PEXPIREAT', 'expiry:set', far + 3],
    ['ZADD', 'expiry:zset', 1, 'a'],
    ['PEXPIREAT', 'expiry:zset', far + 4],
    ['XADD', 'expiry:stream', '1-1', 'a', 'b'],
    ['PEXPIREAT', 'expiry:stream', far + 5],
  ];
}
