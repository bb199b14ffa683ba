// Completes what tsc has built: the Lua scripts beside the compiled code that loads them, and nothing whose source is gone,
// since the host would go on loading its functions, and a deployment would carry the rest.
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';

cpSync('src', 'dist/src', {
  recursive: true,
  filter: (path) => !path.endsWith('.ts'),
});

for (const house of ['bench', 'cli', 'demo', 'functions', 'local', 'src']) {
  for (const file of readdirSync(`dist/${house}`, { recursive: true })) {
    const isStale =
      (file.endsWith('.js') && !existsSync(`${house}/${file.replace(/js$/, 'ts')}`)) ||
      (file.endsWith('.lua') && !existsSync(`${house}/${file}`));
    if (isStale) rmSync(`dist/${house}/${file}`);
  }
}
