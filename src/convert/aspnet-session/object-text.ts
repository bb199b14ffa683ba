import { safeText } from '../../basics/safe-text';
import { guidText } from './guid';
import { checkNrbf } from './nrbf/check';
import type { ArrayShape } from './nrbf/arrays';
import { BinaryType, Primitive, PRIMITIVE_NAMES, PRIMITIVE_SIZES } from './nrbf/records';
import { type NrbfNode, NrbfTree } from './nrbf/tree';
import { primitiveText } from './primitive-text';
import { quoted } from './quoted';

/** Parts of a stream that are kept for showing, nesting and elements that are shown. */
const PARTS = 2000;
const DEPTH = 5;
const ELEMENTS = 20;
const STRING_LIMIT = 60;
/** Objects and arrays that are shown in all, as one object may be referred to from many places. */
const SHOWN = 200;

/** An object of a BinaryFormatter stream as text: its .NET type, and its members down to a few levels. */
export interface ObjectText {
  readonly type: string;
  readonly text: string;
}

/**
 * Shows an object graph: lists as [a, b], dictionaries as {key: value}, objects as {Member: value}. Only for eyes:
 * cut at some depth and length, no names of assemblies. Undefined for a stream that is not well-formed.
 */
export function objectText(nrbf: Buffer): ObjectText | undefined {
  const tree = new NrbfTree(PARTS);
  if (!checkNrbf(nrbf, { visitor: tree, trailing: 'ignore' }).ok || tree.root === undefined) return undefined;
  return { type: nodeType(tree.root), text: new Renderer(nrbf, tree).node(tree.root, DEPTH) };
}

function nodeType(node: NrbfNode): string {
  if (node.kind === 'class') return isDbNull(node) ? 'System.DBNull' : withoutAssemblies(String(node.info.name));
  if (node.kind === 'array') return arrayType(node.shape);
  return 'System.String';
}

function isDbNull(node: NrbfNode & { kind: 'class' }): boolean {
  return String(node.info.name) === 'System.UnitySerializationHolder' && node.children[0]?.kind === 'nulls';
}

function arrayType({ slot, lengths }: ArrayShape): string {
  const rank = `[${','.repeat(lengths.length - 1)}]`;
  switch (slot.type) {
    case BinaryType.String:
      return `System.String${rank}`;
    case BinaryType.StringArray:
      return `System.String[]${rank}`;
    case BinaryType.ObjectArray:
      return `System.Object[]${rank}`;
    case BinaryType.Primitive:
      return `${PRIMITIVE_NAMES[slot.primitive] ?? ''}${rank}`;
    case BinaryType.PrimitiveArray:
      return `${PRIMITIVE_NAMES[slot.primitive] ?? ''}[]${rank}`;
    case BinaryType.Object:
      return `System.Object${rank}`;
    default:
      return `${withoutAssemblies(String(slot.className ?? ''))}${rank}`;
  }
}

/** A type name without ", assembly, Version=…" of its type arguments. */
function withoutAssemblies(name: string): string {
  return name.slice(0, 2000).replace(/, [^[\],]+(?:, (?:Version|Culture|PublicKeyToken)=[^[\],]+)+/g, '');
}

class Renderer {
  private shown = 0;

  constructor(
    private readonly bytes: Buffer,
    private readonly tree: NrbfTree,
  ) {}

  node(node: NrbfNode | undefined, depth: number): string {
    if (node === undefined) return '…';
    switch (node.kind) {
      case 'nulls':
        return 'null';
      case 'string':
        return quoted(this.bytes.subarray(node.start, node.end), STRING_LIMIT);
      case 'primitives':
        return primitiveText(this.bytes, node.type, node.start, node.end);
      case 'reference':
        return this.node(this.tree.objects.get(node.id), depth);
      case 'array':
        return depth === 0 || ++this.shown > SHOWN ? '[…]' : this.array(node, depth);
      case 'class':
        return depth === 0 || ++this.shown > SHOWN ? '{…}' : this.object(node, depth);
    }
  }

  private array(node: NrbfNode & { kind: 'array' }, depth: number, count = node.shape.total): string {
    const first = node.children[0];
    if (first?.kind === 'primitives' && node.shape.slot.type === BinaryType.Primitive)
      return this.primitives(first, count);
    const shown: string[] = [];
    let seen = 0;
    for (const child of node.children) {
      const left = Math.min(ELEMENTS, count) - seen;
      if (left <= 0) break;
      if (child.kind === 'nulls') {
        shown.push(...Array<string>(Math.min(left, child.count)).fill('null'));
        seen += child.count;
      } else {
        shown.push(this.node(child, depth - 1));
        seen++;
      }
    }
    return `[${shown.join(', ')}${count > shown.length ? `, … (${count})` : ''}]`;
  }

  private primitives(node: NrbfNode & { kind: 'primitives' }, count: number): string {
    if (node.type === Primitive.Byte) {
      const hex = this.bytes.toString('hex', node.start, Math.min(node.start + 32, node.start + count));
      return `0x${hex}${count > 32 ? '…' : ''} (${count} bytes)`;
    }
    const size = PRIMITIVE_SIZES[node.type] ?? 0;
    if (size <= 0) {
      if (node.type === Primitive.Char) return quoted(this.bytes.subarray(node.start, node.end), STRING_LIMIT);
      return this.decimals(node, count);
    }
    const shown = Array.from({ length: Math.min(count, ELEMENTS) }, (_, i) =>
      primitiveText(this.bytes, node.type, node.start + i * size, node.start + (i + 1) * size),
    );
    return `[${shown.join(', ')}${count > shown.length ? `, … (${count})` : ''}]`;
  }

  private decimals(node: NrbfNode & { kind: 'primitives' }, count: number): string {
    const shown: string[] = [];
    for (let at = node.start; at < node.end && shown.length < Math.min(count, ELEMENTS);) {
      const end = at + 1 + (this.bytes[at] ?? 0);
      shown.push(primitiveText(this.bytes, Primitive.Decimal, at, end));
      at = end;
    }
    return `[${shown.join(', ')}${count > shown.length ? `, … (${count})` : ''}]`;
  }

  private object(node: NrbfNode & { kind: 'class' }, depth: number): string {
    if (isDbNull(node)) return 'DBNull';
    const names = node.info.members.slice(0, ELEMENTS).map(String);
    const member = (name: string): NrbfNode | undefined => this.target(node.children[names.indexOf(name)]);
    const only = node.children[0];
    if (only?.kind === 'primitives') {
      const name = String(node.info.name);
      if (node.info.members.length === 1 && /^(?:value__|m_value|_ticks)$/.test(names[0] ?? ''))
        return this.node(only, depth);
      if (name === 'System.Guid' && node.info.members.length === 11) {
        return guidText(this.bytes.subarray(only.start, only.start + 16));
      }
    }
    const items = member('_items');
    const size = member('_size');
    if (items?.kind === 'array' && size?.kind === 'primitives' && size.type === Primitive.Int32) {
      const count = Math.max(0, this.bytes.readInt32LE(size.start));
      return this.array(items, depth, Math.min(count, items.shape.total));
    }
    if (member('HashSize') !== undefined && node.info.members.length === 3) return '{}';
    const pairs = member('KeyValuePairs');
    if (pairs?.kind === 'array') return this.pairs(pairs, depth);
    const shown = names.map((name, i) => `${memberName(name)}: ${this.node(node.children[i], depth - 1)}`);
    return `{${shown.join(', ')}${node.info.members.length > ELEMENTS ? ', …' : ''}}`;
  }

  private pairs(node: NrbfNode & { kind: 'array' }, depth: number): string {
    const shown = node.children.slice(0, ELEMENTS).map((child) => {
      const pair = this.target(child);
      if (pair?.kind !== 'class') return this.node(child, depth - 1);
      return `${this.node(pair.children[0], depth - 1)}: ${this.node(pair.children[1], depth - 1)}`;
    });
    return `{${shown.join(', ')}${node.shape.total > shown.length ? `, … (${node.shape.total})` : ''}}`;
  }

  private target(node: NrbfNode | undefined): NrbfNode | undefined {
    return node?.kind === 'reference' ? this.tree.objects.get(node.id) : node;
  }
}

/** Auto-properties are stored as <Name>k__BackingField. */
function memberName(name: string): string {
  const property = /^<(.{1,60})>k__BackingField$/.exec(name);
  return safeText(property?.[1] ?? name, 60);
}
