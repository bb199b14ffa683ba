import { FormatError } from '../format-error';
import type { NrbfLimits } from './limits';

const OBJECT = 1;
const STRING = 2;
const LIBRARY = 3;

/**
 * The ids of a stream: which are taken, by what, and which were referred to before they came.
 * Positive ids are unique among objects and libraries (MS-NRBF 2.1.1.9, 2.6.2); the negative ids that BinaryFormatter
 * gives to inline value types may come again and cannot be referred to.
 */
export class ObjectTable {
  private readonly ids = new Map<number, number>();
  /** References to later objects, three numbers each: id, place, whether it must be a string. */
  private readonly forward: number[] = [];
  private registered = 0;

  constructor(private readonly limits: NrbfLimits) {}

  addObject(id: number, at: number): void {
    this.add(id, at, OBJECT);
  }

  addString(id: number, at: number): void {
    this.add(id, at, STRING);
  }

  addLibrary(id: number, at: number): void {
    this.add(id, at, LIBRARY);
  }

  /** Counts an inline value type, whose negative id is nobody's target. */
  addInline(at: number): void {
    if (++this.registered > this.limits.objects) {
      throw new FormatError('limit', at, `more than ${this.limits.objects} objects`);
    }
  }

  readonly hasLibrary = (id: number): boolean => this.ids.get(id) === LIBRARY;

  /** Notes a reference; one to a later object is checked by `resolve`. */
  refer(id: number, at: number, wantsString: boolean): void {
    if (id <= 0) throw new FormatError('invalid', at, `reference to object ${id}`);
    const kind = this.ids.get(id);
    if (kind !== undefined) {
      checkTarget(id, kind, at, wantsString);
    } else {
      if (this.forward.length >= this.limits.forwardReferences * 3) {
        throw new FormatError('limit', at, `more than ${this.limits.forwardReferences} references to later objects`);
      }
      this.forward.push(id, at, Number(wantsString));
    }
  }

  /** At the end: every reference must have found its object. */
  resolve(): void {
    for (let i = 0; i < this.forward.length; i += 3) {
      const [id = 0, at = 0, wantsString = 0] = this.forward.slice(i, i + 3);
      const kind = this.ids.get(id);
      if (kind === undefined) throw new FormatError('invalid', at, `reference to object ${id}, which is not there`);
      checkTarget(id, kind, at, wantsString === 1);
    }
  }

  private add(id: number, at: number, kind: number): void {
    this.addInline(at);
    if (id <= 0) throw new FormatError('invalid', at, `id ${id} is not positive`);
    if (this.ids.has(id)) throw new FormatError('invalid', at, `id ${id} is used twice`);
    this.ids.set(id, kind);
  }
}

function checkTarget(id: number, kind: number, at: number, wantsString: boolean): void {
  if (kind === LIBRARY) throw new FormatError('invalid', at, `reference to ${id}, which is a library`);
  if (wantsString && kind !== STRING) throw new FormatError('invalid', at, `reference to ${id}, which is not a string`);
}
