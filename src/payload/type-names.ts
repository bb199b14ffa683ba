import { isList, isSet, isSortedSet } from './collections';
import { isStream } from './stream';
import { MODULE, MODULE_PRE_RELEASE, STRING } from './value-types';

/** What TYPE calls the type of a value with this type byte; a module's types have names of their own. */
export function typeNameOf(type: number): string {
  if (type === STRING) return 'string';
  if (isList(type)) return 'list';
  if (isSet(type)) return 'set';
  if (isSortedSet(type)) return 'zset';
  if (isStream(type)) return 'stream';
  return type === MODULE || type === MODULE_PRE_RELEASE ? 'module' : 'hash';
}
