import type { Command, RedisPort, Reply } from '../../../redis/redis-port';
import { asBytes, asFields, asList, asNumber, readSource } from '../replies';
import { formatId, parseId, ZERO_ID, type StreamId } from '../../../payload/stream-id';

/** A consumer group; `entriesRead` from 7.0 where the server knows it. */
export interface GroupInfo {
  readonly name: Buffer;
  readonly lastDelivered: string;
  readonly pending: number;
  readonly consumers: number;
  readonly entriesRead?: number;
}

/** What XINFO tells of a stream; `entriesAdded` and `maxDeleted` only from 7.0. */
export interface StreamInfo {
  readonly length: number;
  readonly lastId: StreamId;
  readonly entriesAdded?: number;
  readonly maxDeleted?: StreamId;
  readonly groups: readonly GroupInfo[];
}

/** The two questions that {@link parseStreamInfo} reads the answers to. */
export function streamInfoCommands(key: Buffer): Command[] {
  return [
    ['XINFO', 'STREAM', key],
    ['XINFO', 'GROUPS', key],
  ];
}

/** Reads XINFO STREAM and XINFO GROUPS by field names, which differ by version. */
export function parseStreamInfo(stream: Reply | undefined, groups: Reply | undefined): StreamInfo {
  const fields = asFields(stream);
  const entriesAdded = fields.get('entries-added');
  const maxDeleted = fields.get('max-deleted-entry-id');
  return {
    length: asNumber(fields.get('length')),
    lastId: toId(fields.get('last-generated-id')),
    ...(entriesAdded === undefined ? {} : { entriesAdded: asNumber(entriesAdded) }),
    ...(maxDeleted === undefined ? {} : { maxDeleted: toId(maxDeleted) }),
    groups: asList(groups).map(parseGroup),
  };
}

/** The source's stream as it is now. Throws KeyChanged when there is none any more. */
export async function readStreamInfo(source: RedisPort, key: Buffer): Promise<StreamInfo> {
  const [stream, groups] = await readSource(source, streamInfoCommands(key));
  return parseStreamInfo(stream, groups);
}

/** The names of a group's consumers. */
export async function readConsumers(source: RedisPort, key: Buffer, group: Buffer): Promise<Buffer[]> {
  const [consumers] = await readSource(source, [['XINFO', 'CONSUMERS', key, group]]);
  return asList(consumers).map((consumer) => asBytes(asFields(consumer).get('name')));
}

/**
 * Whether the stream holds more than its entries and last id tell: entries deleted other than by trimming from the front, or
 * groups whose count of entries read does not follow from them. What an older server cannot hold.
 */
export function hasFactsOfItsOwn({ entriesAdded, maxDeleted, length }: StreamInfo): boolean {
  if (maxDeleted !== undefined && formatId(maxDeleted) !== formatId(ZERO_ID)) return true;
  return entriesAdded !== undefined && entriesAdded !== length;
}

function parseGroup(reply: Reply): GroupInfo {
  const fields = asFields(reply);
  const entriesRead = fields.get('entries-read') ?? undefined;
  return {
    name: asBytes(fields.get('name')),
    lastDelivered: asBytes(fields.get('last-delivered-id')).toString('latin1'),
    pending: asNumber(fields.get('pending')),
    consumers: asNumber(fields.get('consumers')),
    ...(entriesRead === undefined ? {} : { entriesRead: asNumber(entriesRead) }),
  };
}

function toId(reply: Reply | undefined): StreamId {
  return parseId(asBytes(reply).toString('latin1'));
}
