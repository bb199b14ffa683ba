import { execFileSync } from 'node:child_process';
import path from 'node:path';

const root = path.resolve(__dirname, '../..');

/** Begins telemetry in a process of its own and tells which libraries of it are loaded then. */
function loaded(settings: Readonly<Record<string, string>>): string[] {
  const script = `
    const { startTelemetry } = require('./dist/src/telemetry/start-telemetry.js');
    startTelemetry(process.env, console.error);
    require('./dist/src/app/app.js');
    const found = Object.keys(require.cache).map((file) => /node_modules\\/(@opentelemetry\\/[^/]+|@azure\\/monitor[^/]*)/.exec(file)?.[1]);
    console.log(JSON.stringify([...new Set(found)].filter(Boolean)));
    process.exit(0);`;
  const env = { PATH: process.env.PATH, ...settings };
  return JSON.parse(execFileSync(process.execPath, ['-e', script], { cwd: root, env, encoding: 'utf8' })) as string[];
}

it('without a place for it nothing of telemetry is loaded', () => {
  expect(loaded({})).toEqual([]);
});

it('with OTLP alone nothing of Azure Monitor is', () => {
  const found = loaded({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' });
  expect(found).toContain('@opentelemetry/sdk-metrics');
  expect(found.filter((name) => name.startsWith('@azure'))).toEqual([]);
  expect(found).not.toContain('@opentelemetry/sdk-node');
});
