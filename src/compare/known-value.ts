import { sha1Of } from '../basics/sha1';
import { BadPayloadError, ByteReader, bad } from '../payload/byte-reader';
import { isList, isSet, isSortedSet, readHash, readList, readSet, readSortedSet } from '../payload/collections';
import { FOOTER_BYTES, payloadVersionOf } from '../payload/footer';
import { moduleTypeOf } from '../payload/module-type';
import { readString } from '../payload/rdb-string';
import { isStream } from '../payload/stream';
import { readStreamContent, type StreamGroup } from '../payload/stream-content';
import { typeNameOf } from '../payload/type-names';
import { isUnderstood, MODULE, STRING } from '../payload/value-types';
import { Workspace } from '../payload/workspace';
import type { KeyFacts } from './key-facts';
import { asOneText, inTurn, TextsDigest } from '../transfer/by-commands/texts';
import { numberOf, PARTS, spelled, TEXT } from './command-windows';
import { dumpedWindow, printOfPayload } from './dumped-values';
import { printOfAll, printOfWindows, SPACE, type ValuePrint } from './value-prints';

/** What a key is that never changes but for what expires: nobody need be asked for it. */
export interface KnownValue {
  /** As a server would tell at the moment; undefined where its time has come. */
  facts(): KeyFacts | undefined;
  print(): ValuePrint;
  /** Of a hash's fields that expire, by names as latin1 text. */
  fieldExpiries(): ReadonlyMap<string, number>;
  /** Why its value cannot be compared, where that is so. */
  readonly unknown?: string | undefined;
}

/** A value as it was read: its length and its fingerprint, and of a hash the fields that expire. */
export interface Content {
  readonly length: number | undefined;
  readonly print: ValuePrint;
  readonly expiring?: readonly ExpiringField[];
}

export interface ExpiringField {
  readonly name: string;
  readonly number: number;
  readonly expiry: number;
}

const space = new Workspace();
const NOT_SOUND = 'Its value in the file is none that a server writes: it cannot be compared';
const NOT_UNDERSTOOD = 'Its value in the file is of a form that is not known here: it cannot be compared';

/**
 * Reads a payload's value as fingerprint-values.lua tells those of servers.
 * @param expiry ms since 1970; 0: none
 * @param now the clock that expiries are told by, ms since 1970
 */
export function knownValue(payload: Buffer, expiry: number, now: () => number): KnownValue {
  const type = payload[0] ?? 0;
  const typeName = moduleTypeOf(payload) ?? typeNameOf(type);
  try {
    const isModule = type === MODULE;
    if (!isModule && !isUnderstood(type, payloadVersionOf(payload))) {
      return unknownValue(typeName, expiry, now, NOT_UNDERSTOOD);
    }
    return valueOf(typeName, isModule ? dumpedContent(payload, typeName) : contentOf(payload, typeName), expiry, now);
  } catch (error) {
    if (!(error instanceof BadPayloadError)) throw error;
    return unknownValue(typeName, expiry, now, NOT_SOUND);
  }
}

/** A key of whose value is known only that it cannot be compared, and why. */
export function unknownValue(type: string, expiry: number, now: () => number, unknown: string): KnownValue {
  return new ReadValue(type, UNEQUAL, expiry, now, unknown);
}

/** Of a module's value a server tells nothing more than what DUMP gives. */
function dumpedContent(payload: Buffer, type: string): Content {
  return { length: undefined, print: printOfAll([dumpedWindow(type, printOfPayload(payload))]) };
}

/** Equal to none that a server has. */
const UNEQUAL: Content = { length: undefined, print: { type: '', print: 'unknown', expiringFields: 0 } };

/** A key with a value that was read. */
export function valueOf(type: string, content: Content, expiry: number, now: () => number): KnownValue {
  return new ReadValue(type, content, expiry, now);
}

/** There are as many as keys in work: no closures, which take several times as much. */
class ReadValue implements KnownValue {
  constructor(
    private readonly type: string,
    private readonly content: Content,
    private readonly expiry: number,
    private readonly now: () => number,
    readonly unknown?: string,
  ) {}

  facts(): KeyFacts | undefined {
    const { type, expiry, content } = this;
    const { length, expiring = [] } = content;
    if (expiry !== 0 && expiry <= this.now()) return undefined;
    const fields = expiring.length === 0 ? 0 : this.alive().length;
    // A hash is gone with its last field.
    if (type === 'hash' && length === 0 && fields === 0) return undefined;
    return { type, length: length === undefined ? undefined : length + fields, expiry };
  }

  print(): ValuePrint {
    const { type, content } = this;
    const { print, expiring = [] } = content;
    if (expiring.length === 0) return { ...print, type };
    const fields = this.alive();
    const sum = fields.reduce((total, { number }) => (total + number) % SPACE, Number.parseInt(print.print, 10));
    return { type, print: `${sum.toFixed(0)} `, expiringFields: fields.length };
  }

  fieldExpiries(): ReadonlyMap<string, number> {
    return new Map(this.alive().map((field) => [field.name, field.expiry]));
  }

  private alive(): readonly ExpiringField[] {
    const moment = this.now();
    return (this.content.expiring ?? []).filter((field) => field.expiry > moment);
  }
}

/** @throws BadPayloadError */
function contentOf(payload: Buffer, name: string): Content {
  const end = payload.length - FOOTER_BYTES;
  const reader = new ByteReader(payload, 1, end);
  const type = payload[0] ?? 0;
  const content = readContent(reader, type, name);
  if (reader.at !== end) bad('bytes are left behind a value');
  return content;
}

function readContent(reader: ByteReader, type: number, name: string): Content {
  if (type === STRING) return stringContent(reader);
  if (isList(type)) {
    const windows = new Windows(PARTS);
    readList(reader, type, space, (item) => {
      windows.add(inTurn([item.copy()]));
    });
    return { length: windows.count, print: printOfWindows(name, windows.end()) };
  }
  if (isSet(type)) {
    const sum = new Sum();
    readSet(reader, type, space, (member) => {
      sum.add(numberOf([member.copy()]));
    });
    return sum.content;
  }
  if (isSortedSet(type)) return sortedSetContent(reader, type);
  if (isStream(type)) return streamContent(reader, type);
  const sum = new Sum();
  const expiring: ExpiringField[] = [];
  readHash(reader, type, space, (field, value, expiry) => {
    const text = field.copy();
    const number = numberOf([...inTurn([text]), value.copy()]);
    if (expiry === undefined) sum.add(number);
    else expiring.push({ name: text.toString('latin1'), number, expiry });
  });
  return { ...sum.content, expiring };
}

function stringContent(reader: ByteReader): Content {
  const { first } = space;
  // It is in memory already, or nearly.
  readString(reader, first);
  first.toText();
  const text = first.bytes.subarray(first.start, first.end);
  const prints: string[] = [];
  for (let at = 0; at <= text.length; at += TEXT) prints.push(sha1Of([text.subarray(at, at + TEXT)]));
  return { length: text.length, print: printOfWindows('string', prints) };
}

/** Members one after the other, and in their order only places: as objects they would take many times what they take in a file. */
function sortedSetContent(reader: ByteReader, type: number): Content {
  const texts = space.body.clear();
  const ends = [0];
  const scores: number[] = [];
  readSortedSet(reader, type, space, (member, score) => {
    member.toText();
    texts.raw(member.bytes, member.start, member.end);
    ends.push(texts.length);
    scores.push(score);
  });
  const { bytes } = texts;
  const places = Uint32Array.from(scores.keys()).sort((one, other) => {
    const [first = 0, second = 0] = [scores[one], scores[other]];
    if (first !== second) return first < second ? -1 : 1;
    return bytes.compare(bytes, ends[other], ends[other + 1], ends[one], ends[one + 1]);
  });
  const windows = new Windows(PARTS);
  for (const place of places) {
    const score = Buffer.from(spelled(scores[place] ?? 0));
    windows.add(inTurn([bytes.subarray(ends[place], ends[place + 1]), score]));
  }
  return { length: windows.count, print: printOfWindows('zset', windows.end()) };
}

function streamContent(reader: ByteReader, type: number): Content {
  const entries = new Windows(PARTS, 1);
  const { length, lastId, groups } = readStreamContent(reader, type, space, (id, parts) => {
    entries.add(entryPieces(Buffer.from(id), parts));
  });
  const pending = groups.map((group) => {
    const windows = new Windows(PARTS, 1);
    for (const { id, consumer, times } of group.pending) windows.add(pendingPieces(Buffer.from(id), consumer, times));
    return windows.end();
  });
  return { length, print: streamPrint(lastId, groups, entries.end(), pending) };
}

export function entryPieces(id: Buffer, parts: readonly Buffer[]): readonly Buffer[] {
  return [...inTurn([id]), ...asOneText(parts)];
}

export function pendingPieces(id: Buffer, consumer: Buffer, times: number): readonly Buffer[] {
  return asOneText([id, consumer, Buffer.from(String(times))]);
}

/**
 * The fingerprint of a stream.
 * @param groups by their names, and so are their consumers
 * @param entries the windows of its entries
 * @param pending those of what is pending, of each group
 */
function streamPrint(
  lastId: string,
  groups: readonly Pick<StreamGroup, 'name' | 'lastDelivered' | 'consumers'>[],
  entries: readonly string[],
  pending: readonly (readonly string[])[],
): ValuePrint {
  // Behind the last group.
  return printOfWindows('stream', [streamFactsPrint(lastId, groups), ...entries, ...pending.flat(), '']);
}

/** Its first window: what is told of the stream, its groups and their consumers. */
export function streamFactsPrint(
  lastId: string,
  groups: readonly Pick<StreamGroup, 'name' | 'lastDelivered' | 'consumers'>[],
): string {
  const facts: Buffer[] = [Buffer.from(lastId)];
  for (const { name, lastDelivered, consumers } of groups) {
    facts.push(Buffer.from('group'), name, Buffer.from(lastDelivered));
    for (const consumer of consumers) facts.push(consumer.name, Buffer.from(String(consumer.pending)));
  }
  return sha1Of(inTurn(facts));
}

/** Cuts what comes one after the other as the scripts do: a window that is full has one behind it, be it empty. */
class Windows {
  private readonly prints: string[] = [];
  private digest = new TextsDigest();
  private inWindow = 0;
  count = 0;

  /** @param more how many the first window has beyond the others: those of streams begin with the last of the one before */
  constructor(
    private readonly size: number,
    private readonly more = 0,
  ) {}

  /** @param pieces of one element */
  add(pieces: readonly Buffer[]): void {
    const room = this.size + (this.prints.length === 0 ? this.more : 0);
    if (this.inWindow === room) this.close();
    this.digest.add(pieces);
    this.inWindow++;
    this.count++;
  }

  end(): readonly string[] {
    const isFull = this.inWindow >= this.size;
    this.close();
    if (isFull) this.close();
    return this.prints;
  }

  private close(): void {
    this.prints.push(this.digest.hex());
    this.digest = new TextsDigest();
    this.inWindow = 0;
  }
}

class Sum {
  private sum = 0;
  private count = 0;

  add(number: number): void {
    this.sum = (this.sum + number) % SPACE;
    this.count++;
  }

  get content(): Content {
    return { length: this.count, print: { type: '', print: `${this.sum.toFixed(0)} `, expiringFields: 0 } };
  }
}

/** Fields that expire are held with their names: no more than so many, and no more bytes of names. */
const MOST_EXPIRING = 100_000;
export const MOST_EXPIRING_BYTES = 16 * 1_048_576;

export class MostExpiring {
  readonly fields: ExpiringField[] = [];
  private bytes = 0;

  /** @param tooMany throws */
  constructor(private readonly tooMany: () => never) {}

  add(field: ExpiringField): void {
    this.bytes += field.name.length;
    if (this.fields.length >= MOST_EXPIRING || this.bytes > MOST_EXPIRING_BYTES) this.tooMany();
    this.fields.push(field);
  }
}
