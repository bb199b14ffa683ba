// Loads the built app as a worker does, by the glob in package.json, and prints what it registers, as JSON.
const path = require('node:path');

const root = path.resolve(__dirname, '../../..');
const built = (file) => require(path.join(root, 'dist/local', file));

const { createCoreState, installCoreModule } = built('worker/core-module.js');
const { loadApp } = built('worker/load-app.js');

const state = createCoreState(() => undefined);
installCoreModule(state);
loadApp(root, state).then(
  (files) => {
    const functions = [...state.functions.values()].map(({ metadata: { name, bindings } }) => ({ name, bindings }));
    console.log(JSON.stringify({ files, functions, hooks: [...state.hooks.keys()] }));
    process.exit(0);
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
