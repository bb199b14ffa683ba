import type { Command } from '../../../redis/redis-port';
import { FACTS_SINCE_7, lostStreamFacts } from '../../lost-words';
import { hasCreateConsumer, hasStreamFacts } from '../abilities';
import { ELEMENTS_PER_COMMAND } from '../chunk-size';
import { KeyChanged } from '../conditions';
import { readAhead } from '../../read-ahead';
import type { Body, BodyContext, Drift, Loss } from '../types';
import { windowCommands } from './stream-commands';
import { compareIds, formatId, ZERO_ID } from './stream-id';
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
  const info = await readStreamInfo(source, sourceKey);
  await temporary.write(foundation(temporary.name, info.groups));
  const consumers = await copyConsumers(context, info.groups);
  let entries = 0;
  let bytes = 0;
  for await (const window of readAhead(readWindows(context, info))) {
    const size = sizeOf(window.entries);
    context.step();
    await temporary.write(windowCommands(temporary.name, window, entries === 0, options.clockOffsetMs));
    entries += window.entries.length;
    bytes += size;
  }
  const made = await setFacts(context, info, entries);
  return {
    bytes,
    losses: [...consumerLoss(consumers), ...pendingLoss(info, made), ...factLosses(context, info, made)],
    check: async () => {
      if (made.length !== entries) throw new KeyChanged('the copy does not have the entries written');
      return driftOf(info, await readStreamInfo(source, sourceKey), entries);
    },
  };
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

function consumerLoss(count: number): Loss[] {
  if (count === 0) return [];
  return [{ kind: 'consumer-times', count, message: "the consumers' idle times begin anew" }];
}
