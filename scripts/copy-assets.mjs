// Completes what tsc has built: the Lua scripts beside the compiled code that loads them, and no function whose source
// is gone, since the host would go on loading it.
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';

cpSync('src', 'dist/src', {
  recursive: true,
  filter: (path) => !path.endsWith('.ts'),
});

for (const file of readdirSync('dist/functions')) {
  if (file.endsWith('.js') && !existsSync(`functions/${file.replace(/js$/, 'ts')}`)) rmSync(`dist/functions/${file}`);
}
