import fc from 'fast-check';

import { lengthPrefixed } from '../../../../src/convert/aspnet-session/varint';

/**
 * A small writer of MS-NRBF streams for generated object graphs, laid out as BinaryFormatter does: value types inline
 * with negative ids, other objects behind, libraries in front of the first class that needs them.
 */
export type Graph =
  | { readonly kind: 'null' }
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'primitive'; readonly value: PrimitiveValue }
  | {
      readonly kind: 'object';
      readonly name: string;
      readonly library: string | undefined;
      readonly members: readonly Graph[];
    }
  | { readonly kind: 'struct'; readonly name: string; readonly members: readonly Graph[] }
  | { readonly kind: 'numbers'; readonly type: number; readonly values: readonly Buffer[] }
  | { readonly kind: 'strings'; readonly items: readonly (string | null)[] }
  | { readonly kind: 'objects'; readonly items: readonly Graph[] }
  | { readonly kind: 'array'; readonly shape: ArrayHead; readonly items: readonly Graph[] }
  /** An earlier object (or the root) again. */
  | { readonly kind: 'again'; readonly index: number };

export interface PrimitiveValue {
  readonly type: number;
  readonly bytes: Buffer;
}

interface ArrayHead {
  readonly kind: number;
  readonly lengths: readonly number[];
  readonly lowerBounds: readonly number[];
}

const HEADER = Buffer.from('0001000000ffffffff0100000000000000', 'hex');

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

export const text = (value: string): Buffer => lengthPrefixed(Buffer.from(value));

/** A stream from its records, between header and MessageEnd. */
export const stream = (...records: (Buffer | string)[]): Buffer =>
  Buffer.concat([
    HEADER,
    ...records.map((part) => (typeof part === 'string' ? Buffer.from(part, 'hex') : part)),
    Buffer.of(0x0b),
  ]);

/** Writes a graph whose root is an object, an array or a string. */
export function writeGraph(root: Graph): Buffer {
  return new GraphWriter().write(root);
}

class GraphWriter {
  private readonly out: Buffer[] = [HEADER];
  private readonly due: { graph: Graph; id: number }[] = [];
  private readonly ids: number[] = [];
  private readonly libraries = new Map<string, number>();
  private readonly classes = new Map<string, number>();
  private next = 1;

  write(root: Graph): Buffer {
    this.schedule(root);
    for (let item = this.due.shift(); item !== undefined; item = this.due.shift()) this.record(item.graph, item.id);
    this.out.push(Buffer.of(0x0b));
    return Buffer.concat(this.out);
  }

  private schedule(graph: Graph): number {
    const id = this.next++;
    this.ids.push(id);
    this.due.push({ graph, id });
    return id;
  }

  private record(graph: Graph, id: number): void {
    switch (graph.kind) {
      case 'string':
        this.out.push(Buffer.of(6), int32(id), text(graph.text));
        return;
      case 'object':
        this.classRecord(graph.name, graph.library, graph.members, id);
        return;
      case 'numbers':
        this.out.push(Buffer.of(0x0f), int32(id), int32(graph.values.length), Buffer.of(graph.type), ...graph.values);
        return;
      case 'strings':
        this.out.push(Buffer.of(0x11), int32(id), int32(graph.items.length));
        this.elements(graph.items.map((item) => (item === null ? { kind: 'null' } : { kind: 'string', text: item })));
        return;
      case 'objects':
        this.out.push(Buffer.of(0x10), int32(id), int32(graph.items.length));
        this.elements(graph.items);
        return;
      case 'array': {
        const { kind, lengths, lowerBounds } = graph.shape;
        this.out.push(Buffer.of(7), int32(id), Buffer.of(kind), int32(lengths.length), ...lengths.map(int32));
        this.out.push(...(kind > 2 ? lowerBounds.map(int32) : []), Buffer.of(2));
        // A rectangle's nulls are written one by one.
        if (kind === 2) for (const item of graph.items) this.value(item);
        else this.elements(graph.items);
        return;
      }
      default:
        throw new Error(`${graph.kind} is no root`);
    }
  }

  private classRecord(name: string, library: string | undefined, members: readonly Graph[], id: number): void {
    const known = this.classes.get(name);
    if (known !== undefined) {
      this.out.push(Buffer.of(1), int32(id), int32(known));
    } else {
      const libraryId = library === undefined ? undefined : this.library(library);
      this.classes.set(name, id);
      this.out.push(Buffer.of(libraryId === undefined ? 4 : 5), int32(id), text(name), int32(members.length));
      this.out.push(...members.map((_, i) => text(`member${i}`)));
      this.out.push(Buffer.from(members.map(binaryType)));
      for (const member of members) {
        if (member.kind === 'primitive') this.out.push(Buffer.of(member.value.type));
        else if (member.kind === 'struct') this.out.push(text(member.name));
      }
      if (libraryId !== undefined) this.out.push(int32(libraryId));
    }
    for (const member of members) {
      if (member.kind === 'primitive') this.out.push(member.value.bytes);
      else this.value(member);
    }
  }

  private library(name: string): number {
    const known = this.libraries.get(name);
    if (known !== undefined) return known;
    const id = this.next++;
    this.libraries.set(name, id);
    this.out.push(Buffer.of(0x0c), int32(id), text(name));
    return id;
  }

  private elements(items: readonly Graph[]): void {
    for (let i = 0; i < items.length;) {
      let run = 0;
      while (items[i + run]?.kind === 'null') run++;
      if (run === 0) this.value(items[i++]!);
      else if (run === 1) this.out.push(Buffer.of(0x0a));
      else if (run < 256) this.out.push(Buffer.of(0x0d, run));
      else this.out.push(Buffer.of(0x0e), int32(run));
      i += run;
    }
  }

  private value(graph: Graph): void {
    switch (graph.kind) {
      case 'null':
        this.out.push(Buffer.of(0x0a));
        return;
      case 'primitive':
        this.out.push(Buffer.of(8, graph.value.type), graph.value.bytes);
        return;
      case 'string': {
        const id = this.next++;
        this.ids.push(id);
        this.out.push(Buffer.of(6), int32(id), text(graph.text));
        return;
      }
      case 'struct':
        this.classRecord(graph.name, undefined, graph.members, -this.next++);
        return;
      case 'again':
        this.out.push(Buffer.of(9), int32(this.ids[graph.index % this.ids.length]!));
        return;
      default:
        this.out.push(Buffer.of(9), int32(this.schedule(graph)));
    }
  }
}

/** The declared type of a member: Primitive and SystemClass need more to be said, everything else may be Object. */
function binaryType(member: Graph): number {
  if (member.kind === 'primitive') return 0;
  if (member.kind === 'string') return 1;
  return member.kind === 'struct' ? 3 : 2;
}

function layout(member: Graph): string {
  if (member.kind === 'primitive') return `p${member.value.type}`;
  return member.kind === 'struct' ? `s(${member.name})` : String(binaryType(member));
}

const sized = (type: number, size: number): fc.Arbitrary<PrimitiveValue> =>
  fc.uint8Array({ minLength: size, maxLength: size }).map((bytes) => ({ type, bytes: Buffer.from(bytes) }));

/** Values of every primitive type, as they stand in a stream. */
export const primitiveValue: fc.Arbitrary<PrimitiveValue> = fc.oneof(
  fc.boolean().map((value) => ({ type: 1, bytes: Buffer.of(Number(value)) })),
  fc.constantFrom('a', 'é', '漢', '\0').map((char) => ({ type: 3, bytes: Buffer.from(char) })),
  fc.constantFrom('0', '1.10', '-79228162514264337593543950335', '0.0000000000000000000000000001').map((number) => ({
    type: 5,
    bytes: text(number),
  })),
  fc.bigInt({ min: 0n, max: 3_155_378_975_999_999_999n }).map((ticks) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(ticks | ((ticks % 4n) << 62n));
    return { type: 13, bytes };
  }),
  ...[2, 10].map((type) => sized(type, 1)),
  ...[7, 14].map((type) => sized(type, 2)),
  ...[8, 11, 15].map((type) => sized(type, 4)),
  ...[6, 9, 12, 16].map((type) => sized(type, 8)),
);

const word = fc.string({ maxLength: 40, unit: 'grapheme' }).map((value) => value.replace(/[\ud800-\udfff]/gu, '?'));

/** Object graphs of every record type. Classes of one name have the same members, as in .NET. */
export const graph: fc.Arbitrary<Graph> = fc.letrec<{ node: Graph; root: Graph }>((tie) => {
  const items = (maxLength: number) => fc.array(tie('node'), { maxLength });
  // The name tells the members' kinds, so that one name always means one layout.
  const name = (prefix: string, members: readonly Graph[]): string => `${prefix}.C${members.map(layout).join('_')}`;
  const container: fc.Arbitrary<Graph>[] = [
    items(5).map((members) => ({ kind: 'object', name: name('System', members), library: undefined, members })),
    items(5).map((members) => ({
      kind: 'object',
      name: name('App', members),
      library: 'App, Version=1.0.0.0',
      members,
    })),
    items(6).map((list) => ({ kind: 'objects', items: list })),
    fc.array(fc.option(word), { maxLength: 6 }).map((list) => ({ kind: 'strings', items: list })),
    fc
      .constantFrom(300, 1000)
      .map((length) => ({ kind: 'objects', items: Array<Graph>(length).fill({ kind: 'null' }) })),
    fc.array(primitiveValue, { maxLength: 6 }).map((values) => ({
      kind: 'numbers',
      type: values[0]?.type ?? 2,
      values: values.filter(({ type }) => type === (values[0]?.type ?? 2)).map(({ bytes }) => bytes),
    })),
    items(6).map((list) => ({
      kind: 'array',
      shape: { kind: 0, lengths: [list.length], lowerBounds: [] },
      items: list,
    })),
    items(3).map((list) => ({
      kind: 'array',
      shape: { kind: 2, lengths: [list.length, 2], lowerBounds: [] },
      items: [...list, ...list.map((): Graph => ({ kind: 'null' }))],
    })),
  ];
  const struct: fc.Arbitrary<Graph> = fc
    .array(
      primitiveValue.map((value): Graph => ({ kind: 'primitive', value })),
      { minLength: 1, maxLength: 3 },
    )
    .map((members) => ({ kind: 'struct', name: name('System', members), members }));
  return {
    node: fc.oneof(
      { maxDepth: 4, depthIdentifier: 'graph' },
      fc.constant<Graph>({ kind: 'null' }),
      primitiveValue.map((value): Graph => ({ kind: 'primitive', value })),
      word.map((value): Graph => ({ kind: 'string', text: value })),
      fc.nat(20).map((index): Graph => ({ kind: 'again', index })),
      struct,
      ...container,
    ),
    root: fc.oneof({ depthIdentifier: 'graph' }, ...container),
  };
}).root;
