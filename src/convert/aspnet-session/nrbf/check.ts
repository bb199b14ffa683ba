import { ByteReader } from '../byte-reader';
import { FormatError, type FormatErrorCode } from '../format-error';
import {
  allowsNullRuns,
  type ArrayShape,
  isPrimitiveShape,
  readBinaryArray,
  readLength,
  singleShape,
  skipPrimitiveElements,
} from './arrays';
import { type ClassInfo, readClassInfo, readLibraryId, type Slot } from './class-table';
import { DEFAULT_NRBF_LIMITS, type NrbfLimits } from './limits';
import { ObjectTable } from './object-table';
import { readPrimitiveType, skipPrimitives } from './primitive';
import { BinaryType, hasStreamHeader, Record, STREAM_HEADER } from './records';
import type { NrbfVisitor } from './visitor';

/** The outcome of a check. `steps` is the work done (records, members, nulls runs): never more than the bytes + 1. */
export type NrbfCheck =
  | { readonly ok: true; readonly length: number; readonly steps: number }
  | { readonly ok: false; readonly code: FormatErrorCode; readonly offset: number; readonly reason: string };

export interface NrbfCheckOptions {
  readonly limits?: Partial<NrbfLimits>;
  /** What to do about bytes behind MessageEnd: a problem (default), or left alone as .NET's reader does. */
  readonly trailing?: 'refuse' | 'ignore';
  readonly visitor?: NrbfVisitor;
}

/**
 * Checks that `bytes` are one well-formed stream as BinaryFormatter writes them: MS-NRBF 2.7 grammar without remoting
 * messages, starting with the root object (id 1), all ids unique, all references, class metadata and libraries
 * resolved, all text UTF-8, ended by MessageEnd. Untyped classes (records 2 and 3) cannot be told without their .NET
 * types and are refused. No type is ever looked up and nothing is built; time is linear in the bytes and memory is
 * bounded by the limits.
 */
export function checkNrbf(bytes: Buffer, options: NrbfCheckOptions = {}): NrbfCheck {
  const limits = { ...DEFAULT_NRBF_LIMITS, ...options.limits };
  try {
    const checker = new NrbfChecker(bytes, limits, options.visitor);
    checker.run(options.trailing === 'ignore');
    return { ok: true, length: checker.reader.offset, steps: checker.steps };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { ok: false, code: error.code, offset: error.offset, reason: error.reason };
  }
}

/** A class or an array whose values are being read. */
interface Frame {
  /** Of an array: the place of every element. Undefined: a class. */
  readonly element: Slot | undefined;
  /** Of a class: the place of each member. */
  readonly members: readonly Slot[];
  readonly count: number;
  readonly nullRuns: boolean;
  done: number;
}

class NrbfChecker {
  readonly reader: ByteReader;
  steps = 0;
  private readonly objects: ObjectTable;
  private readonly classes = new Map<number, ClassInfo>();
  private readonly frames: Frame[] = [];
  private members = 0;
  private elements = 0;

  constructor(
    bytes: Buffer,
    private readonly limits: NrbfLimits,
    private readonly visitor: NrbfVisitor | undefined,
  ) {
    if (bytes.length > limits.bytes) throw new FormatError('limit', 0, `stream is over ${limits.bytes} bytes`);
    if (!hasStreamHeader(bytes)) throw new FormatError('invalid', 0, 'no header of a BinaryFormatter stream');
    this.reader = new ByteReader(bytes, STREAM_HEADER.length);
    this.objects = new ObjectTable(limits);
  }

  run(ignoreTrailing: boolean): void {
    for (let rooted = false; ;) {
      this.steps++;
      const at = this.reader.offset;
      const record = this.reader.u8('record');
      if (record === Record.MessageEnd) {
        if (!rooted) throw new FormatError('invalid', at, 'the stream has no object');
        break;
      }
      if (record === Record.BinaryLibrary) {
        this.library();
      } else {
        this.topLevel(record, at, rooted);
        this.drain();
        rooted = true;
      }
    }
    this.objects.resolve();
    if (!ignoreTrailing && this.reader.remaining > 0) {
      throw new FormatError('invalid', this.reader.offset, 'bytes follow the end of the message');
    }
  }

  private topLevel(record: number, at: number, rooted: boolean): void {
    const id = this.reader.i32('object id');
    if (!rooted && id !== 1) throw new FormatError('invalid', at, `the first object has id ${id}, not 1`);
    switch (record) {
      case Record.ClassWithId:
      case Record.SystemClassWithMembersAndTypes:
      case Record.ClassWithMembersAndTypes:
        if (id <= 0) throw new FormatError('invalid', at + 1, `id ${id} is not positive`);
        this.beginClass(record, id, at);
        return;
      case Record.BinaryObjectString:
        this.string(id, at);
        return;
      case Record.BinaryArray:
        this.objects.addObject(id, at + 1);
        this.beginArray(id, readBinaryArray(this.reader, this.objects.hasLibrary), at);
        return;
      case Record.ArraySinglePrimitive: {
        this.objects.addObject(id, at + 1);
        const length = readLength(this.reader);
        this.beginArray(id, singleShape(BinaryType.Primitive, readPrimitiveType(this.reader), length), at);
        return;
      }
      case Record.ArraySingleObject:
      case Record.ArraySingleString: {
        this.objects.addObject(id, at + 1);
        const type = record === Record.ArraySingleObject ? BinaryType.Object : BinaryType.String;
        this.beginArray(id, singleShape(type, 0, readLength(this.reader)), at);
        return;
      }
      default:
        throw misplaced(record, at);
    }
  }

  /** Reads values until every open class and array is complete. */
  private drain(): void {
    for (let frame = this.frames.at(-1); frame !== undefined; frame = this.frames.at(-1)) {
      const slot = frame.done === frame.count ? undefined : (frame.element ?? frame.members[frame.done]);
      if (slot === undefined) {
        this.frames.pop();
        this.visitor?.end();
      } else {
        this.steps++;
        this.value(frame, slot);
      }
    }
  }

  private value(frame: Frame, slot: Slot): void {
    const at = this.reader.offset;
    if (slot.type === BinaryType.Primitive) {
      skipPrimitives(this.reader, slot.primitive, 1);
      this.visitor?.primitives(slot.primitive, 1, at, this.reader.offset);
      frame.done++;
      return;
    }
    let record = this.reader.u8('record');
    const holdsClass = slot.type >= BinaryType.Object && slot.type <= BinaryType.Class;
    if (record === Record.BinaryLibrary && holdsClass) record = this.inlineLibraries();
    switch (record) {
      case Record.MemberReference: {
        const id = this.reader.i32('reference');
        this.objects.refer(id, at, slot.type === BinaryType.String);
        this.visitor?.reference(id);
        break;
      }
      case Record.ObjectNull:
        this.visitor?.nulls(1);
        break;
      case Record.ObjectNullMultiple256:
      case Record.ObjectNullMultiple:
        this.nullRun(frame, record, at);
        return;
      case Record.BinaryObjectString:
        if (!holdsClass && slot.type !== BinaryType.String) throw misplaced(record, at);
        this.string(this.reader.i32('object id'), at);
        break;
      case Record.MemberPrimitiveTyped: {
        if (!holdsClass) throw misplaced(record, at);
        const type = readPrimitiveType(this.reader);
        const start = this.reader.offset;
        skipPrimitives(this.reader, type, 1);
        this.visitor?.primitives(type, 1, start, this.reader.offset);
        break;
      }
      case Record.ClassWithId:
      case Record.SystemClassWithMembersAndTypes:
      case Record.ClassWithMembersAndTypes:
        if (!holdsClass) throw misplaced(record, at);
        frame.done++;
        this.beginClass(record, this.reader.i32('object id'), at);
        return;
      default:
        throw misplaced(record, at);
    }
    frame.done++;
  }

  /** BinaryLibrary records in front of a class that is a member's value; returns that class's record type. */
  private inlineLibraries(): number {
    for (;;) {
      this.library();
      this.steps++;
      const at = this.reader.offset;
      const record = this.reader.u8('record');
      if (record === Record.BinaryLibrary) continue;
      if (record === Record.ClassWithId || record === Record.SystemClassWithMembersAndTypes) return record;
      if (record === Record.ClassWithMembersAndTypes) return record;
      throw new FormatError('invalid', at, `record ${record} follows a library where a class is due`);
    }
  }

  private library(): void {
    const at = this.reader.offset;
    this.objects.addLibrary(this.reader.i32('library id'), at);
    if (this.reader.skipString('library name') === 0) throw new FormatError('invalid', at, 'library name is empty');
  }

  private string(id: number, at: number): void {
    this.objects.addString(id, at + 1);
    const length = this.reader.skipString();
    this.visitor?.string(id, this.reader.offset - length, this.reader.offset);
  }

  private nullRun(frame: Frame, record: number, at: number): void {
    if (!frame.nullRuns) throw misplaced(record, at);
    const count =
      record === Record.ObjectNullMultiple256 ? this.reader.u8('null count') : this.reader.i32('null count');
    if (count < 1 || count > frame.count - frame.done) {
      throw new FormatError(
        'invalid',
        at,
        `a run of ${count} nulls where ${frame.count - frame.done} elements are left`,
      );
    }
    this.visitor?.nulls(count);
    frame.done += count;
  }

  private beginClass(record: number, id: number, at: number): void {
    if (id === 0) throw new FormatError('invalid', at + 1, 'object id is 0');
    if (id > 0) this.objects.addObject(id, at + 1);
    else this.objects.addInline(at + 1);
    const info = record === Record.ClassWithId ? this.knownClass() : this.newClass(record, id);
    this.reader.need(info.members.length, 'member values');
    this.push({ members: info.slots, element: undefined, count: info.slots.length, nullRuns: false, done: 0 }, at);
    this.visitor?.beginClass(id, info);
  }

  private knownClass(): ClassInfo {
    const at = this.reader.offset;
    const metadataId = this.reader.i32('metadata id');
    const info = this.classes.get(metadataId);
    if (info === undefined) throw new FormatError('invalid', at, `class metadata ${metadataId} was not given`);
    return info;
  }

  private newClass(record: number, id: number): ClassInfo {
    const info = readClassInfo(this.reader, this.limits.members - this.members, this.limits, this.objects.hasLibrary);
    this.members += info.members.length;
    if (record === Record.ClassWithMembersAndTypes) readLibraryId(this.reader, this.objects.hasLibrary);
    this.classes.set(id, info);
    return info;
  }

  private beginArray(id: number, shape: ArrayShape, at: number): void {
    this.visitor?.beginArray(id, shape);
    if (isPrimitiveShape(shape)) {
      const start = this.reader.offset;
      skipPrimitiveElements(this.reader, shape);
      this.visitor?.primitives(shape.slot.primitive, shape.total, start, this.reader.offset);
      this.visitor?.end();
      return;
    }
    this.elements += shape.total;
    if (this.elements > this.limits.elements) {
      throw new FormatError('limit', at, `arrays of more than ${this.limits.elements} elements`);
    }
    this.push({ members: [], element: shape.slot, count: shape.total, nullRuns: allowsNullRuns(shape), done: 0 }, at);
  }

  private push(frame: Frame, at: number): void {
    if (this.frames.length >= this.limits.depth) {
      throw new FormatError('limit', at, `objects stand in one another more than ${this.limits.depth} deep`);
    }
    this.frames.push(frame);
  }
}

function misplaced(record: number, at: number): FormatError {
  const known = record <= 0x17 ? `record ${record}` : `byte ${record}`;
  return new FormatError('invalid', at, `${known} cannot stand here`);
}
