// Runs the built app on a Functions host, as dist/local/main.js runs it on the local one: the same options, the same line once it listens. The
// host is the command in FUNC_HOST, with {port} for the port that it is to listen on. It gets the app's settings as its environment, and a
// storage emulator over the data folder.
// Usage: node scripts/functions-host.mjs --app <folder> --port <n, 0 for any> --data <folder>
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    app: { type: 'string', default: process.cwd() },
    port: { type: 'string', default: '0' },
    data: { type: 'string', default: '.keyferry' },
    // Of the local host; others are verbose by their own settings, and always one of several.
    verbose: { type: 'boolean' },
    'one-of-several': { type: 'boolean' },
  },
});
const command = process.env.FUNC_HOST ?? '';
if (command === '') {
  console.error('FUNC_HOST is not set: the command that starts a Functions host, with {port} in it.');
  process.exit(2);
}
const LONGEST_START_MS = 60_000;
const require = createRequire(import.meta.url);
const local = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'dist', 'local');
const { startAzurite } = require(path.join(local, 'azurite.js'));
const { freePorts } = require(path.join(local, 'ports.js'));

const nothing = () => undefined;
const storage = await startAzurite(values.data, {
  verbose: false,
  debug: nothing,
  info: nothing,
  warn: console.error,
  error: console.error,
});
const port = values.port === '0' ? (await freePorts(1))[0] : Number(values.port);
// Whoever runs timers as an administrator looks for it here.
mkdirSync(values.data, { recursive: true });
writeFileSync(path.join(values.data, 'master-key'), process.env.FUNC_HOST_KEY ?? '');
const host = spawn('/bin/sh', ['-c', `exec ${command.replaceAll('{port}', String(port))}`], {
  cwd: values.app,
  stdio: ['ignore', 'inherit', 'inherit'],
  env: {
    AzureWebJobsStorage: storage.connectionString,
    ...process.env,
    FUNCTIONS_WORKER_RUNTIME: 'node',
    AzureWebJobsScriptRoot: values.app,
    ASPNETCORE_URLS: `http://127.0.0.1:${port}`,
  },
});
let ends = false;
const end = (signal) => {
  if (ends) return;
  ends = true;
  host.kill(signal);
};
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => end(signal));
host.once('exit', async (code) => {
  await storage.close();
  process.exit(ends ? 0 : (code ?? 1));
});
const url = `http://127.0.0.1:${port}`;
for (const until = Date.now() + LONGEST_START_MS; ; await sleep(200)) {
  const answer = await fetch(`${url}/api/openapi.json`).catch(() => undefined);
  await answer?.body?.cancel();
  if (answer?.ok === true) break;
  if (Date.now() > until) {
    console.error(`The host does not answer at ${url}.`);
    end('SIGTERM');
    break;
  }
}
if (!ends) console.log(`Listening on ${url}`);
