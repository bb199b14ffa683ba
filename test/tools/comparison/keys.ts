import type { KeyState } from './expiries';
import { readFieldExpiries, readStates } from './expiries';
import type { Side } from './side';
import { readStreams, streamDifferences } from './streams';
import type { Value } from './values';
import { readDigests, readValues, shown, valueDifference } from './values';

/** How two copies of a key can differ. */
export type DifferenceKind = 'missing' | 'extra' | 'type' | 'value' | 'stream' | 'expiry' | 'field-expiry';

/** What is wrong with one key. */
export interface Problem {
  readonly kind: DifferenceKind;
  readonly detail: string;
}

export interface Tolerance {
  /** Of expiries, in ms. */
  readonly toleranceMs: number;
  /** Of the idle times of pending stream entries, in ms. */
  readonly idleToleranceMs: number;
}

/** A server and a database of it. */
export interface Place {
  readonly side: Side;
  readonly database: number;
}

type Row = readonly [KeyState | undefined, KeyState | undefined];

/**
 * Compares keys of the left place with those of the right place, in order. For each key: what is wrong, `[]` where they are
 * equal, or `gone` where neither side has it any more.
 */
export async function compareKeys(
  left: Place,
  right: Place,
  leftKeys: readonly Buffer[],
  rightKeys: readonly Buffer[],
  tolerance: Tolerance,
): Promise<(Problem[] | 'gone')[]> {
  const [one, other] = await Promise.all([
    readStates(left.side, left.database, leftKeys),
    readStates(right.side, right.database, rightKeys),
  ]);
  const results = leftKeys.map((_, at) => outline([one[at], other[at]], tolerance.toleranceMs));
  const same = leftKeys
    .map((key, at) => ({ key, rightKey: rightKeys[at]!, at, type: one[at]?.type ?? '', otherType: other[at]?.type }))
    .filter(({ type, otherType }) => type !== '' && type === otherType);
  const report = (at: number, problem: Problem): void => {
    const result = results[at];
    if (Array.isArray(result)) result.push(problem);
  };

  // What the servers call the same needs no reading; but of hashes the fields are needed where those can expire.
  const haveFieldExpiry = left.side.hasFieldExpiry || right.side.hasFieldExpiry;
  const digested = same.filter(({ type }) => !(type === 'hash' && haveFieldExpiry));
  const [digests, otherDigests] = await Promise.all([
    readDigests(left.side, left.database, digested),
    readDigests(
      right.side,
      right.database,
      digested.map(({ rightKey, type }) => ({ key: rightKey, type })),
    ),
  ]);
  const equal = new Set(
    digested.filter((_, i) => digests[i] !== undefined && digests[i] === otherDigests[i]).map(({ at }) => at),
  );
  const unlike = same.filter(({ at }) => !equal.has(at));
  const [values, others] = await Promise.all([
    readValues(left.side, left.database, unlike),
    readValues(
      right.side,
      right.database,
      unlike.map(({ rightKey, type }) => ({ key: rightKey, type })),
    ),
  ]);
  for (const [index, { at }] of unlike.entries()) {
    const detail = differenceOf(values[index], others[index]);
    if (detail !== undefined) report(at, { kind: 'value', detail });
  }

  const streams = same.filter(({ type }) => type === 'stream');
  const [states, otherStates] = await Promise.all([
    readStreams(
      left.side,
      left.database,
      streams.map(({ key }) => key),
    ),
    readStreams(
      right.side,
      right.database,
      streams.map(({ rightKey }) => rightKey),
    ),
  ]);
  for (const [index, { at }] of streams.entries()) {
    const [state, otherState] = [states[index], otherStates[index]];
    if (state === undefined || otherState === undefined) continue;
    for (const detail of streamDifferences(state, otherState, tolerance.idleToleranceMs)) {
      report(at, { kind: 'stream', detail });
    }
  }

  const hashes = unlike
    .map(({ key, rightKey, at, type }, index) => ({ key, rightKey, at, type, value: values[index] }))
    .filter(({ type, value }) => type === 'hash' && value !== undefined)
    .map(({ key, rightKey, at, value }) => ({ key, rightKey, at, fields: [...(value as Map<string, string>).keys()] }))
    .filter(({ fields }) => fields.length > 0);
  const [times, otherTimes] = await Promise.all([
    readFieldExpiries(left.side, left.database, hashes),
    readFieldExpiries(
      right.side,
      right.database,
      hashes.map(({ rightKey, fields }) => ({ key: rightKey, fields })),
    ),
  ]);
  for (const [index, { at, fields }] of hashes.entries()) {
    for (const field of fields) {
      const time = times[index]?.get(field) ?? 'none';
      const otherTime = otherTimes[index]?.get(field) ?? 'none';
      const detail = expiryDifference(time, otherTime, tolerance.toleranceMs);
      if (detail !== undefined) report(at, { kind: 'field-expiry', detail: `${shown(field)}: ${detail}` });
    }
  }
  return results;
}

/** What type and expiry tell. */
function outline([one, other]: Row, toleranceMs: number): Problem[] | 'gone' {
  if (one === undefined && other === undefined) return 'gone';
  if (other === undefined) return [{ kind: 'missing', detail: `${one?.type ?? ''} is not on the right` }];
  if (one === undefined) return [{ kind: 'extra', detail: `${other.type} is only on the right` }];
  if (one.type !== other.type) return [{ kind: 'type', detail: `${one.type} ≠ ${other.type}` }];
  const detail = expiryDifference(one.expiresAt, other.expiresAt, toleranceMs);
  return detail === undefined ? [] : [{ kind: 'expiry', detail }];
}

function expiryDifference(one: number | 'none', other: number | 'none', toleranceMs: number): string | undefined {
  if (one === 'none' && other === 'none') return undefined;
  if (one === 'none' || other === 'none') return `expiry ${whenShown(one)} ≠ ${whenShown(other)}`;
  const difference = other - one;
  if (Math.abs(difference) <= toleranceMs) return undefined;
  return `expires ${Math.abs(difference).toFixed(1)} ms ${difference > 0 ? 'later' : 'earlier'} on the right`;
}

function whenShown(time: number | 'none'): string {
  // Beyond the year 275,760 JavaScript has no dates.
  return time === 'none' ? 'none' : time < 8.64e15 ? new Date(time).toISOString() : `${time} ms`;
}

function differenceOf(value: Value | undefined, other: Value | undefined): string | undefined {
  if (value === undefined && other === undefined) return undefined;
  if (value === undefined || other === undefined) return 'vanished or changed its type while it was read';
  return valueDifference(value, other);
}
