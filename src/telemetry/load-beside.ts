import { createRequire } from 'node:module';

/** Loads a module now, at once, and not with the one that names it. */
export function loadBeside(from: string, name: string): unknown {
  return createRequire(from)(name) as unknown;
}
