export { readCollection, type StoredCollection, type StoredItem } from './collection-reader';
export { type CollectionItem, writeCollection } from './collection-writer';
export {
  type ConvertedItem,
  convertSession,
  type ConvertOptions,
  type ConvertOutcome,
  DEFAULT_SESSION_LIMITS,
  type SessionLimits,
  type V4Session,
} from './convert-session';
export { describeV4Session, describeV5Session, describeValue, type SessionRow } from './describe';
export { FormatError, type FormatErrorCode } from './format-error';
export { itemValue, nrbfValue } from './item-value';
export {
  belongsToApplications,
  classifySessionKey,
  type SessionKey,
  type SessionKeyRole,
  v4KeyNames,
  v5KeyNames,
} from './keys';
export { type Appearance, looksLike } from './looks-like';
export { firstEqualNames } from './names';
export { checkNrbf, type NrbfCheck, type NrbfCheckOptions } from './nrbf/check';
export { DEFAULT_NRBF_LIMITS, type NrbfLimits } from './nrbf/limits';
export { decodeRootItem, type NativeItem } from './nrbf/root-value';
export type { SessionRefusal } from './refusals';
export { TYPE_NAMES, TypeCode } from './type-codes';
export type { DateTimeKind, SessionValue } from './values';
