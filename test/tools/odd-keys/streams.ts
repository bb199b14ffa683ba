import type { Abilities, Command } from './commands';
import { everyByte, many } from './commands';

const add = (key: string, id: string, ...words: (string | Buffer)[]): Command => ['XADD', key, id, ...words];
const read = (key: string, group: string | Buffer, consumer: string | Buffer, count: number): Command => {
  return ['XREADGROUP', 'GROUP', group, consumer, 'COUNT', count, 'STREAMS', key, '>'];
};
const entries = (key: string, count: number): Command[] => many(count, (n) => add(key, `${n + 1}-1`, 'n', String(n)));

/** Streams: their last ids, deleted entries, groups, consumers and pending entries. */
export function streamCommands({ version }: Abilities): Command[] {
  return [
    ...plain(),
    ...groups(),
    ...pending(),
    ...(version >= 602 ? sinceSixTwo() : []),
    ...(version >= 700 ? sinceSeven() : []),
  ];
}

function plain(): Command[] {
  return [
    add('stream:one', '1-1', 'field', 'value'),
    add('stream:binary', '5-0', everyByte, everyByte, '', ''),
    add('stream:same-fields-twice', '1-0', 'a', '1', 'a', '2', 'b', ''),
    add('stream:ids', '0-1', 'a', 'smallest'),
    add('stream:ids', '1700000000000-0', 'a', 'usual'),
    add('stream:ids', '18446744073709551615-18446744073709551615', 'a', 'largest'),
    ...entries('stream:long', 3_000),
    ...entries('stream:other-fields', 20).map(([name, key, id], n): Command => [
      name,
      key!,
      id!,
      `f${n}`,
      'v',
      'g',
      'w',
    ]),
    ...entries('stream:deleted', 30),
    ['XDEL', 'stream:deleted', '1-1', '7-1', '8-1', '30-1'],
    ...entries('stream:trimmed', 30),
    ['XTRIM', 'stream:trimmed', 'MAXLEN', 4],
    ...entries('stream:emptied', 3),
    ['XDEL', 'stream:emptied', '1-1', '2-1', '3-1'],
    ...entries('stream:id-set', 3),
    ['XSETID', 'stream:id-set', '99-7'],
  ];
}

function groups(): Command[] {
  return [
    ['XGROUP', 'CREATE', 'stream:empty-with-groups', 'at-end', '$', 'MKSTREAM'],
    ['XGROUP', 'CREATE', 'stream:empty-with-groups', 'at-start', '0'],
    ['XGROUP', 'CREATE', 'stream:empty-with-groups', everyByte, '12-34'],
    ...entries('stream:groups', 10),
    ['XGROUP', 'CREATE', 'stream:groups', 'unread', '0'],
    ['XGROUP', 'CREATE', 'stream:groups', 'half-read', '5-1'],
    ['XGROUP', 'CREATE', 'stream:groups', 'read', '$'],
    ['XGROUP', 'CREATE', 'stream:groups', 'moved', '$'],
    ['XGROUP', 'SETID', 'stream:groups', 'moved', '3-1'],
    // A consumer that asked when there was nothing: it exists and has nothing pending.
    read('stream:groups', 'read', 'idle consumer', 1),
  ];
}

function pending(): Command[] {
  const key = 'stream:pending';
  return [
    ...entries(key, 20),
    ['XGROUP', 'CREATE', key, 'workers', '0'],
    read(key, 'workers', 'anna', 4),
    read(key, 'workers', 'bert', 3),
    read(key, 'workers', everyByte, 2),
    ['XACK', key, 'workers', '2-1', '6-1'],
    ['XCLAIM', key, 'workers', 'carl', 0, '3-1', 'RETRYCOUNT', 7, 'IDLE', 60_000],
    ['XCLAIM', key, 'workers', 'anna', 0, '5-1', 'IDLE', 3_600_000],
    // Pending, but no longer in the stream.
    ['XDEL', key, '4-1'],
    ['XGROUP', 'CREATE', key, 'others', '10-1'],
    read(key, 'others', 'anna', 100),
    ['XACK', key, 'others', ...many(10, (n) => `${n + 11}-1`)],
    ...entries('stream:all-pending-deleted', 3),
    ['XGROUP', 'CREATE', 'stream:all-pending-deleted', 'workers', '0'],
    read('stream:all-pending-deleted', 'workers', 'anna', 3),
    ['XDEL', 'stream:all-pending-deleted', '1-1', '2-1', '3-1'],
    ...entries('stream:pending-many', 1_500),
    ['XGROUP', 'CREATE', 'stream:pending-many', 'workers', '0'],
    read('stream:pending-many', 'workers', 'anna', 700),
    read('stream:pending-many', 'workers', 'bert', 600),
    read('stream:pending-many', 'workers', 'anna', 100),
  ];
}

function sinceSixTwo(): Command[] {
  return [
    ...entries('stream:created-consumer', 2),
    ['XGROUP', 'CREATE', 'stream:created-consumer', 'workers', '0'],
    ['XGROUP', 'CREATECONSUMER', 'stream:created-consumer', 'workers', 'never seen'],
  ];
}

function sinceSeven(): Command[] {
  return [
    ...entries('stream:counters', 3),
    ['XSETID', 'stream:counters', '50-0', 'ENTRIESADDED', 1_000, 'MAXDELETEDID', '40-0'],
    ['XGROUP', 'CREATE', 'stream:counters', 'counted', '2-1', 'ENTRIESREAD', 997],
    ['XGROUP', 'CREATE', 'stream:counters', 'uncounted', '2-1'],
  ];
}
