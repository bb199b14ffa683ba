import { keyOf, nameOf } from './changed-names';

/** What a held name takes beside its bytes, about. */
const BYTES_A_NAME = 100;

interface Segment {
  readonly mark: number;
  readonly names: ReadonlySet<string>;
}

/**
 * The names of one database that a reader has heard who applies none: those that whoever applies is not known to have applied, and
 * those heard since a pass may have begun. They are cut by marks: what was heard before a mark was changed before it, so that who is
 * told everything that was changed before the mark, and has applied that, has applied these.
 */
export class HeardNames {
  private open = new Set<string>();
  private segments: Segment[] = [];
  private kept = new Set<string>();
  private keeps = true;
  private bytes = 0;

  /** @param mostBytes what names may take that are held */
  constructor(private readonly mostBytes: number) {}

  /** False where there is no room for it: from then on nothing can be said any more. */
  note(key: Buffer): boolean {
    const name = nameOf(key);
    this.addTo(this.open, name);
    if (this.keeps) this.addTo(this.kept, name);
    return this.bytes <= this.mostBytes;
  }

  /** What is heard from now on is behind this mark. */
  cut(mark: number): void {
    if (this.open.size === 0) return;
    this.segments.push({ mark, names: this.open });
    this.open = new Set();
  }

  /** All that was heard before a mark is applied. Returns those names of it that were not heard again since. */
  drop(mark: number): string[] {
    const dropped = this.segments.filter((segment) => segment.mark <= mark);
    this.segments = this.segments.filter((segment) => segment.mark > mark);
    for (const { names } of dropped) this.forget(names);
    const isOpen = (name: string) => this.open.has(name) || this.segments.some(({ names }) => names.has(name));
    return [...new Set(dropped.flatMap(({ names }) => [...names]))].filter((name) => !isOpen(name));
  }

  /** A pass may have begun since anything that is held was heard: all of it counts until `release`. */
  keep(): void {
    if (this.keeps) return;
    this.keeps = true;
    for (const names of [...this.segments.map((segment) => segment.names), this.open]) {
      for (const name of names) this.addTo(this.kept, name);
    }
  }

  /** The pass has ended, and all that changed meanwhile is applied once more. */
  release(): void {
    this.keeps = false;
    this.forget(this.kept);
    this.kept = new Set();
  }

  clear(): void {
    this.open = new Set();
    this.segments = [];
    this.kept = new Set();
    this.keeps = true;
    this.bytes = 0;
  }

  /** All that must be applied once this reader applies. */
  all(): Buffer[] {
    const names = new Set([...this.kept, ...this.segments.flatMap((segment) => [...segment.names]), ...this.open]);
    return Array.from(names, keyOf);
  }

  private addTo(names: Set<string>, name: string): void {
    if (names.has(name)) return;
    names.add(name);
    this.bytes += name.length + BYTES_A_NAME;
  }

  private forget(names: ReadonlySet<string>): void {
    for (const name of names) this.bytes -= name.length + BYTES_A_NAME;
  }
}
