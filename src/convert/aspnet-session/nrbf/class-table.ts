import type { ByteReader } from '../byte-reader';
import { FormatError } from '../format-error';
import type { NrbfLimits } from './limits';
import { readPrimitiveType } from './primitive';
import { BinaryType } from './records';

/** A name where it stands in the stream; made into text only when somebody looks. */
export class Name {
  constructor(
    readonly bytes: Buffer,
    readonly start: number,
    readonly end: number,
  ) {}

  toString(): string {
    return this.bytes.toString('utf8', this.start, this.end);
  }

  equals(other: Name): boolean {
    const length = this.end - this.start;
    if (length !== other.end - other.start) return false;
    for (let i = 0; i < length; i++) {
      if (this.bytes[this.start + i] !== other.bytes[other.start + i]) return false;
    }
    return true;
  }
}

/** What may stand in one place: a member of a class, or each element of an array. */
export interface Slot {
  /** BinaryType of the place. */
  readonly type: number;
  /** Primitive type, for BinaryType Primitive and PrimitiveArray; else 0. */
  readonly primitive: number;
  /** Declared class, for BinaryType SystemClass and Class. */
  readonly className?: Name;
}

/** What a class record says of its class; later records of the same class refer to it. */
export interface ClassInfo {
  readonly name: Name;
  readonly members: readonly Name[];
  readonly slots: readonly Slot[];
}

const STRING_SLOT: Slot = { type: BinaryType.String, primitive: 0 };
const OBJECT_SLOT: Slot = { type: BinaryType.Object, primitive: 0 };
/** Up to so many members are compared with each other; more go into a set. */
const FEW = 16;

/**
 * Reads a class's name, member names, member types and additional infos (MS-NRBF 2.3.1.1 ClassInfo, 2.3.1.2
 * MemberTypeInfo). `membersLeft` is what remains of the limit; `hasLibrary` says whether a library was declared.
 */
export function readClassInfo(
  reader: ByteReader,
  membersLeft: number,
  limits: NrbfLimits,
  hasLibrary: (id: number) => boolean,
): ClassInfo {
  const name = readName(reader, 'class name');
  const countAt = reader.offset;
  const count = reader.i32('member count');
  if (count < 0) throw new FormatError('invalid', countAt, 'member count is negative');
  reader.need(count * 2, 'members');
  if (count > membersLeft) throw new FormatError('limit', countAt, `more than ${limits.members} members`);
  const members: Name[] = [];
  for (let i = 0; i < count; i++) members.push(readName(reader, 'member name'));
  refuseEqualNames(members);
  const typesAt = reader.skip(count, 'member types');
  const slots: Slot[] = [];
  for (let i = 0; i < count; i++) {
    slots.push(readSlot(reader, reader.bytes[typesAt + i] ?? 0, typesAt + i, hasLibrary));
  }
  return { name, members, slots };
}

/** Reads what follows a BinaryType byte (MS-NRBF 2.3.1.2 AdditionalInfos). */
export function readSlot(reader: ByteReader, type: number, typeAt: number, hasLibrary: (id: number) => boolean): Slot {
  switch (type) {
    case BinaryType.String:
    case BinaryType.Object:
      return type === BinaryType.String ? STRING_SLOT : OBJECT_SLOT;
    case BinaryType.ObjectArray:
    case BinaryType.StringArray:
      return { type, primitive: 0 };
    case BinaryType.Primitive:
    case BinaryType.PrimitiveArray:
      return { type, primitive: readPrimitiveType(reader) };
    case BinaryType.SystemClass:
      return { type, primitive: 0, className: readName(reader, 'class name') };
    case BinaryType.Class: {
      const className = readName(reader, 'class name');
      readLibraryId(reader, hasLibrary);
      return { type, primitive: 0, className };
    }
    default:
      throw new FormatError('invalid', typeAt, `member type ${type} is not known`);
  }
}

/** Reads the id of a library, which must have been declared before (MS-NRBF 2.6.2). */
export function readLibraryId(reader: ByteReader, hasLibrary: (id: number) => boolean): void {
  const at = reader.offset;
  const id = reader.i32('library id');
  if (!hasLibrary(id)) throw new FormatError('invalid', at, `library ${id} was not declared`);
}

function readName(reader: ByteReader, what: string): Name {
  const at = reader.offset;
  const length = reader.skipString(what);
  if (length === 0) throw new FormatError('invalid', at, `${what} is empty`);
  return new Name(reader.bytes, reader.offset - length, reader.offset);
}

function refuseEqualNames(names: readonly Name[]): void {
  const seen = new Set<string>();
  names.forEach((name, index) => {
    const known =
      names.length <= FEW ? names.findIndex((other) => other.equals(name)) < index : seen.has(name.toString());
    if (known) throw new FormatError('invalid', name.start, 'two members have the same name');
    if (names.length > FEW) seen.add(name.toString());
  });
}
