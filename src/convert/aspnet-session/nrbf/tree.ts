import type { ArrayShape } from './arrays';
import type { ClassInfo } from './class-table';
import type { NrbfVisitor } from './visitor';

/** A part of a stream, kept for showing. Offsets are bytes of the stream. */
export type NrbfNode =
  | { readonly kind: 'class'; readonly info: ClassInfo; readonly children: NrbfNode[]; readonly id: number }
  | { readonly kind: 'array'; readonly shape: ArrayShape; readonly children: NrbfNode[]; readonly id: number }
  | {
      readonly kind: 'primitives';
      readonly type: number;
      readonly count: number;
      readonly start: number;
      readonly end: number;
    }
  | { readonly kind: 'string'; readonly start: number; readonly end: number }
  | { readonly kind: 'reference'; readonly id: number }
  | { readonly kind: 'nulls'; readonly count: number };

/**
 * Keeps the first `budget` parts of a stream as it is checked, so that showing a hostile value costs no more than
 * showing a plain one. What is left out is simply missing from the children.
 */
export class NrbfTree implements NrbfVisitor {
  readonly objects = new Map<number, NrbfNode>();
  root: NrbfNode | undefined;
  private readonly open: (NrbfNode[] | undefined)[] = [];

  constructor(private budget: number) {}

  beginClass(id: number, info: ClassInfo): void {
    const children: NrbfNode[] = [];
    this.open.push(this.add({ kind: 'class', info, children, id }, id) ? children : undefined);
  }

  beginArray(id: number, shape: ArrayShape): void {
    const children: NrbfNode[] = [];
    this.open.push(this.add({ kind: 'array', shape, children, id }, id) ? children : undefined);
  }

  primitives(type: number, count: number, start: number, end: number): void {
    this.add({ kind: 'primitives', type, count, start, end });
  }

  string(id: number, start: number, end: number): void {
    this.add({ kind: 'string', start, end }, id);
  }

  reference(id: number): void {
    this.add({ kind: 'reference', id });
  }

  nulls(count: number): void {
    this.add({ kind: 'nulls', count });
  }

  end(): void {
    this.open.pop();
  }

  private add(node: NrbfNode, id = 0): boolean {
    if (this.budget <= 0) return false;
    const siblings = this.open.at(-1);
    if (this.open.length > 0 && siblings === undefined) return false;
    this.budget--;
    siblings?.push(node);
    this.root ??= node;
    if (id > 0) this.objects.set(id, node);
    return true;
  }
}
