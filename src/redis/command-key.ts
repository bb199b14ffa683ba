import type { Argument, Command } from './redis-port';

/** Commands without a key, as far as they are sent. */
const WITHOUT_KEY = new Set(
  (
    'acl asking auth client cluster command config dbsize debug discard echo exec flushall flushdb function hello info ' +
    'latency module multi ping publish randomkey role scan script select swapdb time unwatch wait'
  ).split(' '),
);
/** Commands whose first argument is a word of theirs. */
const BEHIND_A_WORD = new Set(['memory', 'object', 'xgroup', 'xinfo']);
const SCRIPTS = new Set(['eval', 'evalsha', 'eval_ro', 'evalsha_ro', 'fcall', 'fcall_ro']);
const STREAMS = new Set(['xread', 'xreadgroup']);

/** The first key that a command names; undefined for one that names none. */
export function keyOfCommand(command: Command): Buffer | undefined {
  const [name, ...args] = command;
  const word = name.toLowerCase();
  if (WITHOUT_KEY.has(word)) return undefined;
  if (SCRIPTS.has(word)) return Number(args[1]) > 0 ? bytesOf(args[2]) : undefined;
  if (STREAMS.has(word)) {
    return bytesOf(args[args.findIndex((arg) => typeof arg === 'string' && arg.toUpperCase() === 'STREAMS') + 1]);
  }
  return bytesOf(BEHIND_A_WORD.has(word) ? args[1] : args[0]);
}

function bytesOf(arg: Argument | undefined): Buffer | undefined {
  return typeof arg === 'string' ? Buffer.from(arg) : arg;
}
