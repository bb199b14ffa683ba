import type { Command } from '../../../redis/redis-port';
import { FACTS_SINCE_7, lostStreamFacts } from '../../lost-words';
import { hasCreateConsumer, hasStreamFacts } from '../abilities';
import { ELEMENTS_PER_COMMAND } from '../chunk-size';
import { inBudget } from '../chunks';
import { KeyChanged, TemporaryLost, TemporaryUnsure } from '../conditions';
import type { BodyPlace } from '../key-place';
import type { TemporaryKey } from '../temporary-key';
import type { Body, BodyContext, Drift, Loss } from '../types';
import { entriesAgree } from './entries-agree';
import { pendingAgree } from './pending-agree';
import { windowCommands } from './stream-commands';
import { compareIds, formatId, idAfter, parseId, ZERO_ID, type StreamId } from '../../../payload/stream-id';
import {
  hasFactsOfItsOwn,
  parseStreamInfo,
  readConsumers,
  readStreamInfo,
  streamInfoCommands,
  type GroupInfo,
  type StreamInfo,
} from './stream-info';
import { readWindows, sizeOf } from './stream-windows';

/**
 * Copies a stream with its groups, consumers and pending entries: up to the last id it had when the copy began, so entries that
 * are added meanwhile are left out. Consumers' idle times begin anew. Between 7.0 and above, entries-added,
 * max-deleted-entry-id and the groups' entries-read are kept too.
 */
export async function copyStream(context: BodyContext): Promise<Body> {
  const { source, sourceKey, temporary, options } = context;
  const kept = context.kept?.body.kind === 'stream' ? context.kept.body : undefined;
  const info = kept === undefined ? await readStreamInfo(source, sourceKey) : infoIn(kept);
  if (kept === undefined) await temporary.write(foundation(temporary.name, info.groups));
  else await mustHold(temporary, kept);
  const consumers = kept?.consumers ?? (await copyConsumers(context, info.groups));
  let { entries = 0, inexact = 0, top = formatId(ZERO_ID) } = kept ?? {};
  let bytes = context.kept?.bytes ?? 0;
  const stored = placedInfo(info);
  const start = kept === undefined ? ZERO_ID : idAfter(parseId(kept.through));
  const windows = readWindows(context, info, start);
  for await (const window of inBudget(context, windows, (window) => sizeOf(window.entries))) {
    await temporary.write(windowCommands(temporary.name, window, entries === 0, options.clockOffsetMs));
    entries += window.entries.length;
    bytes += sizeOf(window.entries);
    inexact += window.pending.filter(({ deliveries }) => !Number.isSafeInteger(deliveries)).length;
    top = formatId(greatest(parseId(top), ...window.entries.slice(-1), ...window.pending.slice(-1)));
    const through = formatId(window.through);
    const place = { kind: 'stream', info: stored, consumers, entries, inexact, through, top } as const;
    context.reached({ ...place, seen: formatId(ZERO_ID) }, bytes);
  }
  const made = await setFacts(context, info, entries);
  const through = formatId(info.lastId);
  const place = { kind: 'stream', info: stored, consumers, entries, inexact, through, top } as const;
  const notTaken = pendingLoss(info, made);
  const looksAsRead = ({ seen }: StreamPlace) =>
    entriesAgree(context, parseId(seen), info.lastId, entries, (id) => {
      context.reached({ ...place, top: formatId(info.lastId), seen: formatId(id) }, bytes);
    });
  return {
    bytes,
    losses: [
      ...consumerLoss(consumers),
      ...notTaken,
      ...factLosses(context, info, made),
      ...inexactLoss(inexactIn(info) + inexact),
    ],
    check: async () => {
      const isStill = options.sourceIsStill === true;
      if (made.length !== entries) {
        const lacks = 'the copy does not have the entries written';
        throw isStill ? new TemporaryLost(lacks) : new KeyChanged(lacks);
      }
      if (!isStill && kept !== undefined && !(await looksAsRead(kept))) return 'drifted';
      const groups = isStill || notTaken.length > 0 ? [] : info.groups;
      if (!(await pendingAgree(context, groups))) return 'drifted';
      return driftOf(info, await readStreamInfo(source, sourceKey), entries);
    },
  };
}

type StreamPlace = Extract<BodyPlace, { kind: 'stream' }>;

function placedInfo({ lastId, maxDeleted, groups, ...numbers }: StreamInfo): StreamPlace['info'] {
  return {
    ...numbers,
    lastId: formatId(lastId),
    ...(maxDeleted === undefined ? {} : { maxDeleted: formatId(maxDeleted) }),
    groups: groups.map((group) => ({ ...group, name: group.name.toString('base64') })),
  };
}

function infoIn({ info: { lastId, maxDeleted, groups, length, entriesAdded } }: StreamPlace): StreamInfo {
  return {
    length,
    lastId: parseId(lastId),
    ...(entriesAdded === undefined ? {} : { entriesAdded }),
    ...(maxDeleted === undefined ? {} : { maxDeleted: parseId(maxDeleted) }),
    groups: groups.map(({ name, lastDelivered, pending, consumers, entriesRead }) => ({
      ...{ name: Buffer.from(name, 'base64'), lastDelivered, pending, consumers },
      ...(entriesRead === undefined ? {} : { entriesRead }),
    })),
  };
}

/** Entries can only be added behind the last: a window that was sent and not answered cannot be written once more. */
async function mustHold(temporary: TemporaryKey, { info, entries, through, top }: StreamPlace): Promise<void> {
  const [stream, groups] = await temporary.ask(streamInfoCommands(temporary.name));
  const { length, lastId } = parseStreamInfo(stream, groups);
  const isFinished = through === info.lastId && formatId(lastId) === info.lastId;
  if (length === entries && (isFinished || formatId(lastId) === top)) return;
  throw new TemporaryUnsure('the temporary key has something else than what was written');
}

function greatest(first: StreamId, ...others: readonly { readonly id: StreamId }[]): StreamId {
  return others.reduce((most, { id }) => (compareIds(id, most) > 0 ? id : most), first);
}

/**
 * Whether what was copied is the stream as it stood when the copy began. Entries added since do not matter; entries deleted
 * meanwhile show in the count of those read, deliveries and acknowledgements in the groups.
 */
export function driftOf(before: StreamInfo, after: StreamInfo, entriesRead: number): Drift {
  if (compareIds(after.lastId, before.lastId) < 0) return 'mixture';
  const sameDeletions =
    before.maxDeleted === undefined || formatId(before.maxDeleted) === formatId(after.maxDeleted ?? ZERO_ID);
  const sameGroups = JSON.stringify(before.groups.map(groupState)) === JSON.stringify(after.groups.map(groupState));
  return entriesRead === before.length && sameDeletions && sameGroups ? 'same' : 'drifted';
}

function groupState(group: GroupInfo): unknown {
  return [group.name.toString('base64'), group.lastDelivered, group.pending, group.consumers];
}

/** Creates the key, empty, with its groups. A stream without a group is begun with one that is destroyed at once. */
function foundation(key: Buffer, groups: readonly GroupInfo[]): Command[] {
  const [first, ...rest] = groups;
  if (first === undefined) {
    return [
      ['XGROUP', 'CREATE', key, '-', '0', 'MKSTREAM'],
      ['XGROUP', 'DESTROY', key, '-'],
    ];
  }
  return [
    ['XGROUP', 'CREATE', key, first.name, first.lastDelivered, 'MKSTREAM'],
    ...rest.map(({ name, lastDelivered }): Command => ['XGROUP', 'CREATE', key, name, lastDelivered]),
  ];
}

async function copyConsumers(context: BodyContext, groups: readonly GroupInfo[]): Promise<number> {
  const { temporary, options } = context;
  let count = 0;
  for (const group of groups.filter(({ consumers }) => consumers > 0)) {
    const names = await readConsumers(context.source, context.sourceKey, group.name);
    for (let at = 0; at < names.length; at += ELEMENTS_PER_COMMAND) {
      context.step();
      const part = names.slice(at, at + ELEMENTS_PER_COMMAND);
      await temporary.write(
        part.map((name) => consumerCommand(temporary.name, group.name, name, hasCreateConsumer(options.target))),
      );
    }
    count += names.length;
  }
  return count;
}

/** Before 6.2 a consumer comes into being when it asks for its own pending entries, of which it has none yet. */
function consumerCommand(key: Buffer, group: Buffer, consumer: Buffer, canCreate: boolean): Command {
  if (canCreate) return ['XGROUP', 'CREATECONSUMER', key, group, consumer];
  return ['XREADGROUP', 'GROUP', group, consumer, 'COUNT', '1', 'STREAMS', key, '0'];
}

/** Sets what the stream knows of its past, and gives what the copy then says of itself. */
async function setFacts(context: BodyContext, info: StreamInfo, entries: number): Promise<StreamInfo> {
  const { temporary, options } = context;
  const key = temporary.name;
  const commands: Command[] = [];
  if (hasStreamFacts(options.target)) {
    // A source that does not count (before 7.0) gets what a newer server makes of its snapshot: as many as there are.
    const added = String(Math.max(info.entriesAdded ?? entries, entries));
    const deleted =
      info.maxDeleted === undefined || formatId(info.maxDeleted) === '0-0'
        ? []
        : ['MAXDELETEDID', formatId(info.maxDeleted)];
    commands.push(['XSETID', key, formatId(info.lastId), 'ENTRIESADDED', added, ...deleted]);
    for (const { name, lastDelivered, entriesRead } of info.groups) {
      if (entriesRead === undefined) continue;
      commands.push(['XGROUP', 'SETID', key, name, lastDelivered, 'ENTRIESREAD', String(entriesRead)]);
    }
  } else {
    commands.push(['XSETID', key, formatId(info.lastId)]);
  }
  const replies = await temporary.write([...commands, ...streamInfoCommands(key)]);
  return parseStreamInfo(replies.at(-2), replies.at(-1));
}

function factLosses(context: BodyContext, wanted: StreamInfo, made: StreamInfo): Loss[] {
  const facts: string[] = [];
  if (formatId(made.lastId) !== formatId(wanted.lastId)) facts.push('last-generated-id');
  if (hasStreamFacts(context.options.target)) {
    if (wanted.entriesAdded !== undefined && made.entriesAdded !== wanted.entriesAdded) facts.push('entries-added');
    if (wanted.maxDeleted !== undefined && formatId(made.maxDeleted ?? ZERO_ID) !== formatId(wanted.maxDeleted)) {
      facts.push('max-deleted-entry-id');
    }
    const read = new Map(made.groups.map(({ name, entriesRead }) => [name.toString('latin1'), entriesRead]));
    if (
      wanted.groups.some(
        ({ name, entriesRead }) => entriesRead !== undefined && read.get(name.toString('latin1')) !== entriesRead,
      )
    ) {
      facts.push('entries-read');
    }
  } else if (hasFactsOfItsOwn(wanted)) {
    facts.push(...FACTS_SINCE_7);
  }
  if (facts.length === 0) return [];
  return [{ kind: 'stream-facts', count: facts.length, message: lostStreamFacts(facts) }];
}

/** Pending entries whose id is above the stream's last id (set back by XSETID) have no place; all others should be there. */
function pendingLoss(wanted: StreamInfo, made: StreamInfo): Loss[] {
  const taken = new Map(made.groups.map(({ name, pending }) => [name.toString('latin1'), pending]));
  const lost = wanted.groups.map(({ name, pending }) =>
    Math.max(0, pending - (taken.get(name.toString('latin1')) ?? 0)),
  );
  const count = lost.reduce((sum, each) => sum + each, 0);
  if (count === 0) return [];
  return [{ kind: 'pending-entry', count, message: 'the target did not take all pending entries' }];
}

/** How many of a stream's own numbers are greater than those that are exact here. */
function inexactIn({ entriesAdded = 0, groups }: StreamInfo): number {
  return [entriesAdded, ...groups.map(({ entriesRead = 0 }) => entriesRead)].filter((one) => !Number.isSafeInteger(one))
    .length;
}

function inexactLoss(count: number): Loss[] {
  if (count === 0) return [];
  const message =
    'numbers of the stream (deliveries, entries added or read) that are greater than 2^53 - 1 were carried over only about';
  return [{ kind: 'stream-facts', count, message }];
}

function consumerLoss(count: number): Loss[] {
  if (count === 0) return [];
  return [{ kind: 'consumer-times', count, message: "the consumers' idle times begin anew" }];
}
