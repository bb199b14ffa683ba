import type { ArrayShape } from './arrays';
import type { ClassInfo } from './class-table';

/**
 * Follows a stream while it is checked. Values come in the order of the stream; each class and array is closed by `end`.
 * Nothing is known to be well-formed until the check has come back.
 */
export interface NrbfVisitor {
  /** An object of a class begins; its members follow in order. Ids below zero: inline value types. */
  beginClass(id: number, info: ClassInfo): void;
  /** An array begins; its elements follow. */
  beginArray(id: number, shape: ArrayShape): void;
  /** `count` values of a primitive type at bytes [start, end). */
  primitives(type: number, count: number, start: number, end: number): void;
  /** A string, its UTF-8 text at bytes [start, end). */
  string(id: number, start: number, end: number): void;
  /** The object with that id, which may come later. */
  reference(id: number): void;
  /** `count` nulls in a row. */
  nulls(count: number): void;
  /** The innermost open class or array is complete. */
  end(): void;
}
