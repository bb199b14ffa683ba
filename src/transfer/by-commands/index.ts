export type { Abilities } from './abilities';
export { copyKeyByCommands } from './copy-key';
export { keyPlaceSchema, type KeyPlace, type PlaceKeeper } from './key-place';
export {
  isTemporaryKey,
  isTemporaryKeyOf,
  temporaryKeysPattern,
  TemporaryNames,
  TEMPORARY_KEY_HELD_MS,
  TEMPORARY_KEY_LIFE_MS,
  TEMPORARY_KEY_PREFIX,
} from './temporary-names';
export type { ChunkBudget, CommandCopyOptions, CommandCopyOutcome, Loss } from './types';
