// Puts the console together in dist/console: each TypeScript module as one for the browser, the page, its style, and the
// library for charts, all to be served as they are. Types are checked by `npm run typecheck`.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

const from = 'console';
const to = path.join('dist', 'console');
const compilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
  rewriteRelativeImportExtensions: true,
};

rmSync(to, { recursive: true, force: true });
mkdirSync(to, { recursive: true });
for (const file of readdirSync(from)) {
  if (file.endsWith('.d.ts') || file.endsWith('.json')) continue;
  const source = path.join(from, file);
  if (!file.endsWith('.ts')) {
    copyFileSync(source, path.join(to, file));
    continue;
  }
  const { outputText } = ts.transpileModule(readFileSync(source, 'utf8'), { compilerOptions, fileName: file });
  writeFileSync(path.join(to, file.replace(/ts$/, 'js')), outputText);
}
for (const [file, name] of [
  ['uPlot.esm.js', 'uplot.js'],
  ['uPlot.min.css', 'uplot.css'],
]) {
  copyFileSync(path.join('node_modules', 'uplot', 'dist', file), path.join(to, name));
}
copyFileSync(path.join('node_modules', 'uplot', 'LICENSE'), path.join(to, 'uplot.LICENSE.txt'));
