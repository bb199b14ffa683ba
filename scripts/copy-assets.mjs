// Copies what tsc does not: the Lua scripts beside the compiled code that loads them.
import { cpSync } from 'node:fs';

cpSync('src', 'dist/src', {
  recursive: true,
  filter: (path) => !path.endsWith('.ts'),
});
