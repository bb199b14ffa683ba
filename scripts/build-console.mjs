// Puts the console together in dist/console: each TypeScript module as one for the browser, with what
// it shares with the app, the page, its style, and the
// library for charts, all to be served as they are. Types are checked by `npm run typecheck`.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

const from = 'console';
const to = path.join('dist', 'console');
/** What the console runs of the app's own code. */
const shared = ['src/basics/safe-text.ts', 'src/basics/phase-words.ts'];
const compilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
  rewriteRelativeImportExtensions: true,
};

rmSync(to, { recursive: true, force: true });
mkdirSync(to, { recursive: true });
const files = readdirSync(from).filter((file) => !file.endsWith('.d.ts') && !file.endsWith('.json'));
for (const source of [...files.map((file) => path.join(from, file)), ...shared]) {
  const file = path.basename(source);
  if (!file.endsWith('.ts')) {
    copyFileSync(source, path.join(to, file));
    continue;
  }
  const { outputText } = ts.transpileModule(readFileSync(source, 'utf8'), { compilerOptions, fileName: file });
  // All lie in one folder there.
  const code = outputText.replace(/(from ["'])\.\.\/src\/[\w/-]+\//g, '$1./');
  writeFileSync(path.join(to, file.replace(/ts$/, 'js')), code);
}
for (const [file, name] of [
  ['uPlot.esm.js', 'uplot.js'],
  ['uPlot.min.css', 'uplot.css'],
]) {
  copyFileSync(path.join('node_modules', 'uplot', 'dist', file), path.join(to, name));
}
copyFileSync(path.join('node_modules', 'uplot', 'LICENSE'), path.join(to, 'uplot.LICENSE.txt'));
