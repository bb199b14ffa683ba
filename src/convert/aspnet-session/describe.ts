import { safeText, safeUtf8 } from '../../basics/safe-text';
import { readCollection } from './collection-reader';
import { dateTimeText, timeSpanText } from './date-time';
import { FormatError } from './format-error';
import { guidText } from './guid';
import { itemValue, nrbfValue } from './item-value';
import { looksLike } from './looks-like';
import { hasStreamHeader } from './nrbf/records';
import { objectText } from './object-text';
import { floatText } from './primitive-text';
import { decodeRootItem } from './nrbf/root-value';
import { quoted } from './quoted';
import type { SessionValue } from './values';

/** One item of a session, for eyes. All three are one line without control characters. */
export interface SessionRow {
  readonly name: string;
  /** The .NET type, without assemblies; `null`; or `?` where the value cannot be read. */
  readonly type: string;
  readonly value: string;
}

const NAME_LIMIT = 80;
const TYPE_LIMIT = 200;
const VALUE_LIMIT = 400;

/** The rows of a version 4 data hash (names and values as HGETALL gives them). A value that cannot be read says why. */
export function describeV4Session(fields: readonly (readonly [name: Buffer, value: Buffer])[]): SessionRow[] {
  return fields.map(([name, value]) => {
    if (!hasStreamHeader(value)) return row(name, '?', `not from BinaryFormatter; it looks like: ${looksLike(value)}`);
    return readableRow(name, () => (decodeRootItem(value)?.typeCode === 21 ? { kind: 'Null' } : nrbfValue(value)));
  });
}

/**
 * The rows of a version 5 blob. An item that cannot be read says why; the others are shown.
 * @throws FormatError where version 5 finds no session at all.
 */
export function describeV5Session(blob: Buffer): SessionRow[] {
  return readCollection(blob).items.map((item) => readableRow(item.name, () => itemValue(item.read())));
}

/** A value's .NET type and text. */
export function describeValue(value: SessionValue): { type: string; value: string } {
  switch (value.kind) {
    case 'Null':
      return { type: 'null', value: 'null' };
    case 'String':
      return { type: 'System.String', value: quoted(value.utf8, VALUE_LIMIT) };
    case 'Unknown':
      return { type: '?', value: `type code ${value.typeCode}, which version 5 reads as null` };
    case 'Object': {
      const object = objectText(value.nrbf);
      return { type: object?.type ?? '?', value: object?.text ?? '?' };
    }
    default:
      return { type: `System.${value.kind}`, value: scalarText(value) };
  }
}

function scalarText(value: Exclude<SessionValue, { kind: 'Null' | 'String' | 'Object' | 'Unknown' }>): string {
  switch (value.kind) {
    case 'Boolean':
      return value.value ? 'True' : 'False';
    case 'Single':
    case 'Double':
      return floatText(value.value, value.kind === 'Single');
    case 'Decimal':
      return value.text;
    case 'Char':
      return `'${String.fromCharCode(value.code)}'`;
    case 'DateTime':
      return dateTimeText(value.ticks, value.dateTimeKind);
    case 'TimeSpan':
      return timeSpanText(value.ticks);
    case 'Guid':
      return guidText(value.bytes);
    default:
      return String(value.value);
  }
}

function readableRow(name: Buffer | null, read: () => SessionValue): SessionRow {
  try {
    const { type, value } = describeValue(read());
    return row(name, type, value);
  } catch (error) {
    if (error instanceof FormatError) return row(name, '?', `damaged: ${error.message}`);
    throw error;
  }
}

function row(name: Buffer | null, type: string, value: string): SessionRow {
  return {
    name: name === null ? '(null)' : safeUtf8(name, NAME_LIMIT),
    type: safeText(type, TYPE_LIMIT),
    value: safeText(value, VALUE_LIMIT + 40),
  };
}
