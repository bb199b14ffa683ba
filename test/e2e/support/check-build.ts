import { globSync, statSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(__dirname, '../../..');

/** Runs once before the suite. @throws Error where the built app is not there, or is older than its sources */
export default function checkBuild(): void {
  const main = path.join(root, 'dist/local/main.js');
  const entry = globSync('dist/functions/*.js', { cwd: root });
  if (!statSync(main, { throwIfNoEntry: false }) || entry.length === 0) {
    throw new Error('The app is not built. Run npm run build first.');
  }
  const stale = globSync(['functions/**/*.ts', 'src/**/*.{ts,lua}', 'local/**/*.ts'], { cwd: root }).filter(
    (source) => {
      const built = statSync(path.join(root, 'dist', source.replace(/\.ts$/, '.js')), { throwIfNoEntry: false });
      return built === undefined || built.mtimeMs < statSync(path.join(root, source)).mtimeMs;
    },
  );
  if (stale.length > 0) throw new Error(`The build is older than ${stale.join(', ')}. Run npm run build first.`);
}
