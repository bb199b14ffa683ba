import type { ConverterFindingCode, FindingMeaning } from '../convert/converter-findings';

/** Every code of findings but those of converters, which declare their own (`findingsOfConverter`). */
const COMMON = {
  'module-missing': {
    onTarget: false,
    means: 'was not sent: its type belongs to a module that the target does not have',
    todo: 'load the module there, or leave the key out (`select`)',
  },
  'module-older': {
    onTarget: false,
    means: "was not sent: the target's module is older than the one that wrote it",
    todo: 'update the module on the target',
  },
  'payload-not-taken': {
    onTarget: false,
    means: 'was not sent: nobody can be sure that the target reads its value',
    todo: 'upgrade the target',
  },
  'unsupported-type': {
    onTarget: false,
    means: 'has a type that the target does not know, or that ordinary commands cannot carry',
    todo: 'upgrade the target, or leave the key out (`select`)',
  },
  'no-database': {
    onTarget: false,
    means: 'would go into a database that the target does not have (dry run)',
    todo: 'map it to another with `databases`',
  },
  'restore-refused': {
    onTarget: false,
    means: 'was refused by the target, in the words of the message',
    todo: 'as the message says, then a sync',
  },
  'command-refused': {
    onTarget: false,
    means: 'could not be read, or built, by ordinary commands: a server refused one, in the words of the message',
    todo: 'as the message says, then a sync',
  },
  'too-large': {
    onTarget: false,
    means:
      'has a value, or one element, that is larger than what a server or the app takes at once; the message says which',
    todo: 'raise the limit that the message names, then a sync',
  },
  changing: {
    onTarget: false,
    means: 'was written to in each of three attempts, so that no whole value of it could be read',
    todo: 'a sync when its writers have stopped',
  },
  'temporary-lost': {
    onTarget: false,
    means: 'was being built and vanished: the target evicts keys, or was flushed',
    todo: 'give the target memory or `noeviction`, then a sync',
  },
  'not-as-told': {
    onTarget: false,
    means: 'was not written: of the file came something else than what it says of this key',
    todo: 'look at the file, restore again, and tell the project',
  },
  stopped: {
    onTarget: false,
    means: 'was being copied when the work was stopped',
    todo: 'a sync',
  },
  'lost-changed-while-read': {
    onTarget: true,
    means:
      'is a set, hash, sorted set or stream that was written to in each attempt; each of its parts is one that it had at some moment',
    todo: 'a sync when its writers have stopped',
  },
  'lost-field-expiry': {
    onTarget: true,
    means: 'is a hash whose fields had expiries of their own, which the target does not know; they stay for ever',
    todo: 'decide whether that matters, or upgrade the target to 7.4 and copy again',
  },
  'lost-pending-entry': {
    onTarget: true,
    means: 'is a stream with pending entries that could not be rebuilt (their message is deleted)',
    todo: 'decide whether that matters',
  },
  'lost-stream-facts': {
    onTarget: true,
    means: 'is a stream whose counters or last ids an older target does not hold',
    todo: 'usually nothing',
  },
  'library-not-loaded': {
    onTarget: false,
    means:
      'is no key but the name of a function library in a file, which the target has not taken; the message says why',
    todo: 'FUNCTION LOAD by hand, where it is needed',
  },
  missing: {
    onTarget: false,
    means: 'is on the source and not on the target',
    todo: 'a sync',
  },
  extra: {
    onTarget: true,
    means: 'is on the target and not on the source',
    todo: 'a sync with `deleteExtra`, where it should go',
  },
  'different-type': {
    onTarget: true,
    means: 'is of another type on the target',
    todo: 'a sync',
  },
  'different-length': {
    onTarget: true,
    means: 'has another length on the target, as STRLEN, LLEN, SCARD, ZCARD, HLEN, XLEN say',
    todo: 'a sync',
  },
  'different-value': {
    onTarget: true,
    means: 'has another value on the target; of a stream also its last id, groups, consumers, pending entries',
    todo: 'a sync',
  },
  'different-expiry': {
    onTarget: true,
    means: "expires at another time on the target, by more than 50 ms with the two servers' clocks taken into account",
    todo: 'a sync',
  },
  'different-field-expiry': {
    onTarget: true,
    means: 'is a hash with fields that expire at another time on the target, or on one side only',
    todo: 'a sync, where the target knows such expiries (from 7.4)',
  },
  'not-compared': {
    onTarget: true,
    means:
      'is on both sides, and whether its value is the same there could not be found out; the message says why (types of modules above all)',
    todo: 'look at it by the commands of its type, or a sync, which copies it anew',
  },
  unreadable: {
    onTarget: false,
    means: "is not known any more: the ledger's row of this finding cannot be read",
    todo: 'a comparison, which finds it again',
  },
} as const satisfies Readonly<Record<string, FindingMeaning>>;

export type CommonFindingCode = keyof typeof COMMON;

export const commonFindings: Readonly<Record<CommonFindingCode, FindingMeaning>> = COMMON;

/** A word for programs that says what is wrong with a key. There are no others than those that have a meaning here or in a converter. */
export type FindingCode = CommonFindingCode | ConverterFindingCode;
