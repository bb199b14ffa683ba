export type { Abilities } from './abilities';
export { copyKeyByCommands } from './copy-key';
export { hashSlot } from './hash-slot';
export { isTemporaryKey, TEMPORARY_KEY_LIFE_MS, TEMPORARY_KEY_PREFIX } from './temporary-key';
export type { CommandCopyOptions, CommandCopyOutcome, FailureCode, Loss } from './types';
