import type { RenameRule } from './naming';

/** What a rule does to the names that it matches, where it changes nothing but their ends. */
interface Ends {
  readonly before: readonly [start: Buffer, end: Buffer];
  readonly after: readonly [start: Buffer, end: Buffer];
}

/** Text that stands for itself in RE2: no special characters but escaped ones. */
const LITERAL = String.raw`(?:[^\\^$.|?*+()[\]{}]|\\[^\p{L}\p{N}\s])*`;
const RULE = new RegExp(String.raw`^(\^?)(${LITERAL})(?:(\(\.[*+]\))(${LITERAL}))?(\$?)$`, 'u');
/** A replacement with one reference at most: which names a rule with others came from cannot be told. */
const REPLACEMENT = /^((?:[^$]|\$(?!\d))*)(?:(\$1)(?!\d)((?:[^$]|\$(?!\d))*))?$/su;

/**
 * Names from which rules may have made a name, besides itself: all that they can have been, and perhaps others.
 * Undefined where that cannot be told of one of the rules.
 */
export function makeLeadingBack(rules: readonly RenameRule[]): ((name: Buffer) => readonly Buffer[]) | undefined {
  const ends = rules.map(endsOf);
  if (!ends.every((one) => one !== undefined)) return undefined;
  return (name) =>
    ends.flatMap(({ before, after }) => {
      const [start, end] = after;
      if (name.length < start.length + end.length) return [];
      if (!name.subarray(0, start.length).equals(start)) return [];
      if (!name.subarray(name.length - end.length).equals(end)) return [];
      return [Buffer.concat([before[0], name.subarray(start.length, name.length - end.length), before[1]])];
    });
}

/** Whether it can be told which names rules made a name from: each puts other text at the start of a name, at its end, or both. */
export function leadBack(rules: readonly RenameRule[]): boolean {
  return makeLeadingBack(rules) !== undefined;
}

function endsOf({ from, to }: RenameRule): Ends | undefined {
  const rule = RULE.exec(from);
  const replacement = REPLACEMENT.exec(to);
  if (rule === null || replacement === null) return undefined;
  const [, caret, first = '', group, second = '', dollar] = rule;
  const [, start = '', reference, end = ''] = replacement;
  const [atStart, atEnd] = [caret === '^', dollar === '$'];
  if ((group === undefined) !== (reference === undefined)) return undefined;
  if (group === undefined) {
    if (atStart) return ends([first, ''], [start, '']);
    return atEnd ? ends(['', first], ['', start]) : undefined;
  }
  // A dot matches no line break: what stands before or behind it then stays where it is.
  if (!atStart && (first !== '' || start !== '')) return undefined;
  if (!atEnd && (second !== '' || end !== '')) return undefined;
  return ends([first, second], [start, end]);
}

function ends(before: readonly [string, string], after: readonly [string, string]): Ends {
  const literal = (text: string) => Buffer.from(text.replace(/\\(.)/gsu, '$1'), 'utf8');
  const bytes = (text: string) => Buffer.from(text, 'utf8');
  return { before: [literal(before[0]), literal(before[1])], after: [bytes(after[0]), bytes(after[1])] };
}
