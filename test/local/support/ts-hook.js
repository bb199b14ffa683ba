// Lets a child process of a test run the host from its sources: `node -r ts-hook.js local/main.ts`.
const { readFileSync } = require('node:fs');
const Module = require('node:module');
const { transformSync } = require('@swc/core');

require.extensions['.ts'] = (module, filename) => {
  const { code } = transformSync(readFileSync(filename, 'utf8'), {
    filename,
    jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
    module: { type: 'commonjs' },
    sourceMaps: 'inline',
  });
  module._compile(code, filename);
};

// A dynamic import names the built file.
const { _resolveFilename: resolve } = Module;
Module._resolveFilename = (request, ...others) => {
  try {
    return resolve(request, ...others);
  } catch (error) {
    if (!request.endsWith('.js')) throw error;
    return resolve(request.slice(0, -'.js'.length), ...others);
  }
};
