import type { Command } from '../../../redis/redis-port';
import { portions } from '../chunk-size';
import { compareIds, formatId, type StreamId } from '../../../payload/stream-id';
import type { Entry, Pending, Window } from './stream-windows';

/**
 * The commands that write a window: XADD in order of ids, XCLAIM for what is pending. Redis lets an entry be pending only while
 * it is there, so in the places of deleted ones placeholders are added, claimed and removed again. Placeholders before the first
 * entry of all are trimmed away, which leaves no trace in max-deleted-entry-id, as with the trimming that made them in the source.
 * @param untouched no entry has been written yet
 */
export function windowCommands(key: Buffer, window: Window, untouched: boolean, clockOffsetMs: number): Command[] {
  const first = window.entries[0]?.id;
  const isFront = (id: StreamId): boolean => untouched && (first === undefined || compareIds(id, first) < 0);
  const front = window.pending.filter(({ id }) => isFront(id));
  const rest = window.pending.filter(({ id }) => !isFront(id));
  const commands: Command[] = [];
  if (front.length > 0) {
    commands.push(...withPlaceholders([], front).map((entry) => addCommand(key, entry)));
    commands.push(...claimCommands(key, front, clockOffsetMs));
    commands.push(['XTRIM', key, 'MAXLEN', '0']);
  }
  const entries = withPlaceholders(window.entries, rest);
  commands.push(...entries.map((entry) => addCommand(key, entry)));
  commands.push(...claimCommands(key, rest, clockOffsetMs));
  const placeholders = entries.filter(({ values }) => values === PLACEHOLDER).map(({ id }) => formatId(id));
  for (const part of portions(placeholders)) commands.push(['XDEL', key, ...part]);
  return commands;
}

const PLACEHOLDER: readonly Buffer[] = [Buffer.from('-'), Buffer.from('-')];

/** The entries with placeholders for pending ids that have none, in order of ids. */
function withPlaceholders(entries: readonly Entry[], pending: readonly Pending[]): Entry[] {
  const present = new Set(entries.map(({ id }) => formatId(id)));
  const missing = new Map<string, Entry>();
  for (const { id } of pending) {
    const text = formatId(id);
    if (!present.has(text)) missing.set(text, { id, values: PLACEHOLDER });
  }
  if (missing.size === 0) return [...entries];
  return [...entries, ...missing.values()].sort((one, other) => compareIds(one.id, other.id));
}

/** One XCLAIM for all that share group, consumer, time and count (and at most a thousand). */
function claimCommands(key: Buffer, pending: readonly Pending[], clockOffsetMs: number): Command[] {
  const alike = new Map<string, [Pending, ...Pending[]]>();
  for (const item of pending) {
    const names = `${item.group.toString('base64')} ${item.consumer.toString('base64')}`;
    const sameness = `${names} ${item.deliveredAt} ${item.deliveries}`;
    const others = alike.get(sameness);
    if (others === undefined) alike.set(sameness, [item]);
    else others.push(item);
  }
  return [...alike.values()].flatMap((items) =>
    portions(items).map((part) => claimCommand(key, items[0], part, clockOffsetMs)),
  );
}

function claimCommand(key: Buffer, like: Pending, batch: readonly Pending[], clockOffsetMs: number): Command {
  const { group, consumer, deliveredAt, deliveries } = like;
  const time = String(Math.max(0, Math.round(deliveredAt + clockOffsetMs)));
  const ids = batch.map(({ id }) => formatId(id));
  return [
    ...(['XCLAIM', key, group, consumer, '0', ...ids, 'TIME', time] as const),
    ...(['RETRYCOUNT', String(deliveries), 'FORCE', 'JUSTID'] as const),
  ];
}

function addCommand(key: Buffer, { id, values }: Entry): Command {
  return ['XADD', key, formatId(id), ...values];
}
