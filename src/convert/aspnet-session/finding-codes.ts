import { findingsOfConverter } from '../converter-findings';

const AS_IT_WAS = 'sign its user in again, or give the applications time to end it';

/** Sessions that were not converted. */
export const sessionFindings = findingsOfConverter('session', {
  'no-items': { onTarget: false, means: 'is a session without an item', todo: 'nothing: there is nothing in it' },
  'bad-name': { onTarget: false, means: 'is a session with an item whose name is not UTF-8', todo: AS_IT_WAS },
  'not-binary-formatter': {
    onTarget: false,
    means: 'is a session with a value that BinaryFormatter did not write; the message says what it looks like',
    todo: 'name the serializer (`customSerializer`) where it is JSON, and convert again',
  },
  'damaged-value': {
    onTarget: false,
    means: 'is a session with a value that breaks off, or makes no sense',
    todo: AS_IT_WAS,
  },
  unrepresentable: {
    onTarget: false,
    means: 'is a session with a value that version 5 has no form for',
    todo: 'keep such values elsewhere, or end the session',
  },
  'bad-timeout': { onTarget: false, means: 'is a session whose timeout is no number', todo: AS_IT_WAS },
  limit: { onTarget: false, means: 'is a session larger than any real one', todo: AS_IT_WAS },
  refused: {
    onTarget: false,
    means: 'is a session that a server refused to read or to write, in the words of the message',
    todo: 'as the message says, then convert again',
  },
  locked: {
    onTarget: false,
    means: 'is a session that a request held the lock of the whole time',
    todo: 'convert again when it is over, or use `onLocked` "convert"',
  },
  changed: {
    onTarget: false,
    means: 'is a session that was written to every time it was to be converted, or something else has its name',
    todo: 'convert again',
  },
});
