import { RE2JS } from 're2js';

/** Steps that a pattern may have once its counted repetitions are written out: each is looked at for every character of every key. */
const MOST_STEPS = 1_000;
/** Patterns kept compiled. All of one request fit. */
const MOST_KEPT = 256;

const kept = new Map<string, RE2JS>();

/**
 * Compiles a pattern over key names, once in a process.
 * @throws Error that says what is wrong with it: not RE2's syntax, or so large that matching would hold up everything else
 */
export function compileRenamePattern(text: string): RE2JS {
  const known = kept.get(text);
  if (known !== undefined) return known;
  // Before compiling: a thousand characters can stand for a program of a hundred thousand steps, which takes seconds.
  if (stepsOf(text) > MOST_STEPS) throw new Error(TOO_LARGE);
  const pattern = compile(text);
  if (pattern.programSize() > 2 * MOST_STEPS) throw new Error(TOO_LARGE);
  const [oldest] = kept.keys();
  if (kept.size >= MOST_KEPT && oldest !== undefined) kept.delete(oldest);
  kept.set(text, pattern);
  return pattern;
}

const TOO_LARGE = `is too large: with its repetitions written out it may have ${MOST_STEPS} characters`;

function compile(text: string): RE2JS {
  try {
    return RE2JS.compile(text);
  } catch {
    throw new Error('is not a regular expression that RE2 understands');
  }
}

/** About how many steps a pattern has: its characters and classes, each as often as its repetitions allow at most. */
function stepsOf(text: string): number {
  const tokens = /\\(?:[pPx]\{[^}]*\}|[\s\S])|\[(?:\\[\s\S]|\[:\^?\w+:\]|[^\]\\])*\]|\{(\d+)(,?)(\d*)\}|[\s\S]/g;
  /** Of each open group: the steps before its latest part, and of that part. */
  const groups = [{ before: 0, last: 0 }];
  for (const [token, least, , most] of text.matchAll(tokens)) {
    const group = groups.at(-1);
    if (group === undefined) break;
    if (least !== undefined) {
      group.last *= Math.max(1, Number(least), Number(most ?? 0));
    } else if (token === '(') groups.push({ before: 0, last: 0 });
    else if (token === ')' && groups.length > 1) {
      groups.pop();
      const outer = groups.at(-1);
      if (outer === undefined) break;
      outer.before += outer.last;
      outer.last = group.before + group.last + 1;
    } else {
      group.before += group.last;
      group.last = 1;
    }
  }
  return groups.reduce((sum, { before, last }) => sum + before + last, 0);
}
