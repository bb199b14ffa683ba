import { Element } from './element';
import { Members } from './members';
import { Output } from './output';

/** What reading and writing values needs room for, to be used for one value after the other. */
export class Workspace {
  /** A string that holds a whole packed value. */
  readonly packed = new Element();
  /** An item, a member, or a field's name. */
  readonly first = new Element();
  /** A field's value or a member's score. */
  readonly second = new Element();
  readonly third = new Element();
  readonly members = new Members();
  /** The payload that is written. */
  readonly out = new Output();
  /** What stands in it behind a number that is not known before. */
  readonly body = new Output();
  /** A packed value under way. */
  readonly pack = new Output();
}
