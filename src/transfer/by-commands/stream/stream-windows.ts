import type { Command, Reply } from '../../../redis/redis-port';
import { firstCount, nextCount } from '../chunk-size';
import { timeInMs } from '../expiry';
import { asBytes, asList, asNumber, readSource } from '../replies';
import type { BodyContext } from '../types';
import { compareIds, formatId, idAfter, parseId, type StreamId } from '../../../payload/stream-id';
import type { StreamInfo } from './stream-info';

/** A stream entry as it stands: its fields and values one after the other. */
export interface Entry {
  readonly id: StreamId;
  readonly values: readonly Buffer[];
}

/** An entry delivered to a consumer and not acknowledged; `deliveredAt` by the source's clock in milliseconds since 1970. */
export interface Pending {
  readonly id: StreamId;
  readonly group: Buffer;
  readonly consumer: Buffer;
  readonly deliveredAt: number;
  readonly deliveries: number;
}

/** All entries and all pending entries with ids in one part of the stream up to an id, both in order of ids. */
export interface Window {
  readonly through: StreamId;
  readonly entries: readonly Entry[];
  readonly pending: readonly Pending[];
}

const PENDING_BYTES = 128;
const LEAST_PENDING = 10;
const MOST_PENDING = 10_000;

/**
 * Reads a stream from an id to its last, window by window. Each holds the entries of XRANGE together with what all groups
 * have pending between the same ids, so that both can be written together in order of ids and neither must be held whole.
 */
export async function* readWindows(
  context: BodyContext,
  info: StreamInfo,
  from: StreamId | undefined,
): AsyncGenerator<Window, void, undefined> {
  const { options } = context;
  const groups = info.groups.filter(({ pending }) => pending > 0).map(({ name }) => name);
  let count = firstCount(context.memory, info.length, options.chunkBytes);
  // Entries behind the last window, and up to where they are all that there are.
  let rest: { readonly entries: readonly Entry[]; readonly end: StreamId } | undefined;
  for (let start = from; start !== undefined && compareIds(start, info.lastId) <= 0;) {
    if (rest === undefined) {
      const entries = await readEntries(context, start, info.lastId, count);
      const last = entries.at(-1);
      // A page of a file ends early where entries are large.
      const isLast = options.sourceIsStill === true ? last === undefined : entries.length < count;
      rest = { entries, end: isLast || last === undefined ? info.lastId : last.id };
      count = nextCount(count, entries.length, sizeOf(entries), options.chunkBytes);
    }
    const { entries, end } = rest;
    const { pending, through } = await readPending(context, groups, start, end);
    const within = (each: { readonly id: StreamId }) => compareIds(each.id, through) <= 0;
    yield { through, entries: entries.filter(within), pending: pending.filter(within) };
    const left = entries.filter((entry) => !within(entry));
    rest = left.length > 0 ? { entries: left, end } : undefined;
    start = idAfter(through);
  }
}

/** The payload bytes of the entries. */
export function sizeOf(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const { values } of entries) for (const value of values) bytes += value.length;
  return bytes;
}

async function readEntries(context: BodyContext, start: StreamId, end: StreamId, count: number): Promise<Entry[]> {
  const command: Command = ['XRANGE', context.sourceKey, formatId(start), formatId(end), 'COUNT', String(count)];
  const [reply] = await readSource(context.source, [command]);
  return asList(reply).map((entry) => {
    const [id, values] = asList(entry);
    return { id: toId(id), values: asList(values).map(asBytes) };
  });
}

/** The groups' pending entries from `start` to `end`, complete up to `through` (below `end` where a group has very many). */
async function readPending(
  context: BodyContext,
  groups: readonly Buffer[],
  start: StreamId,
  end: StreamId,
): Promise<{ pending: Pending[]; through: StreamId }> {
  if (groups.length === 0) return { pending: [], through: end };
  const fitting = Math.floor(context.options.chunkBytes / PENDING_BYTES / groups.length);
  const count = Math.max(LEAST_PENDING, Math.min(MOST_PENDING, fitting));
  const [time, ...replies] = await readSource(context.source, [
    ['TIME'],
    ...groups.map((group): Command => [
      'XPENDING',
      context.sourceKey,
      group,
      formatId(start),
      formatId(end),
      String(count),
    ]),
  ]);
  const now = Math.floor(timeInMs(time));
  let through = end;
  const pending = groups.flatMap((group, at) => {
    const found = asList(replies[at]).map((reply) => parsePending(reply, group, now));
    const last = found.at(-1);
    if (found.length === count && last !== undefined && compareIds(last.id, through) < 0) through = last.id;
    return found;
  });
  return { pending, through };
}

function parsePending(reply: Reply, group: Buffer, now: number): Pending {
  const [id, consumer, idle, deliveries] = asList(reply);
  return {
    id: toId(id),
    group,
    consumer: asBytes(consumer),
    deliveredAt: now - asNumber(idle),
    deliveries: asNumber(deliveries),
  };
}

function toId(reply: Reply | undefined): StreamId {
  return parseId(asBytes(reply).toString('latin1'));
}
