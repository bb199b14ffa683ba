import { findingsOfConverter } from '../converter-findings';

/** Entries that were not converted. */
export const cacheFindings = findingsOfConverter('cache', {
  'no-data': {
    onTarget: false,
    means: 'is a hash with the expirations of a cache entry and without its value',
    todo: 'delete it: .NET reads nothing from it',
  },
  'more-fields': {
    onTarget: false,
    means: 'is a hash with the fields of a cache entry and others, which a string could not hold',
    todo: 'leave it out (`select`), or narrow `instanceName`',
  },
  'bad-expiration': {
    onTarget: false,
    means: 'is a cache entry whose expiration is no number that .NET reads',
    todo: 'delete it: .NET does not read it',
  },
  sliding: {
    onTarget: false,
    means: 'is a cache entry that lives on with every reading, which a string does not',
    todo: 'say with `sliding` "expire" that it may end when it would if nobody read it any more',
  },
  large: {
    onTarget: false,
    means: 'has a value of more than 64 MiB',
    todo: 'copy it as it is, or leave it out (`select`)',
  },
  refused: {
    onTarget: false,
    means: 'is a cache entry that a server refused to read or to write, in the words of the message',
    todo: 'as the message says, then convert again',
  },
  changed: {
    onTarget: false,
    means: 'was written to every time it was to be converted in place',
    todo: 'convert again when its writers have stopped',
  },
});
