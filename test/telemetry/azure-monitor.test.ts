import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { generate } from 'selfsigned';
import { until } from '../tools/app-process';
import { fill } from '../e2e/support/fill';
import { Stage } from '../tools/stage';

interface Envelope {
  readonly name: string;
  readonly data: { readonly baseType: string; readonly baseData: Record<string, unknown> };
}

const stage = new Stage();
const envelopes: Envelope[] = [];
const folder = mkdtempSync(path.join(tmpdir(), 'keyferry-ingestion-'));
const certificate = path.join(folder, 'cert.pem');
let ingestion: Server;

/** Takes what the exporter of Azure Monitor sends, as the ingestion endpoint does. The exporter speaks TLS only. */
beforeAll(async () => {
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    keySize: 2048,
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] },
    ],
  });
  writeFileSync(certificate, made.cert);
  ingestion = createServer({ cert: made.cert, key: made.private }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.setHeader('content-type', 'application/json');
      if (request.url?.includes('/track') !== true) {
        response.end('{}');
        return;
      }
      const sent = Buffer.concat(chunks);
      const text = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent).toString();
      const items = JSON.parse(text.startsWith('[') ? text : `[${text.trim().split('\n').join(',')}]`) as Envelope[];
      envelopes.push(...items);
      response.end(JSON.stringify({ itemsReceived: items.length, itemsAccepted: items.length, errors: [] }));
    });
  });
  await new Promise<void>((resolve) => ingestion.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  await stage.clear();
  ingestion.closeAllConnections();
  await new Promise((resolve) => ingestion.close(resolve));
  rmSync(folder, { recursive: true });
});

it('Azure Monitor gets the ranges, the lines and the metrics of a migration', async () => {
  const url = `https://localhost:${(ingestion.address() as AddressInfo).port}/`;
  const old = await stage.side('redis-7.0');
  const neu = await stage.side('redis-7.0');
  await fill(old, 3_000);
  const app = await stage.app({
    ...stage.connections({ OLD: old, NEW: neu }),
    APPLICATIONINSIGHTS_CONNECTION_STRING: `InstrumentationKey=00000000-0000-0000-0000-000000000001;IngestionEndpoint=${url};LiveEndpoint=${url}`,
    APPLICATION_INSIGHTS_NO_STATSBEAT: 'true',
    NODE_EXTRA_CA_CERTS: certificate,
    OTEL_BSP_SCHEDULE_DELAY: '100',
    OTEL_BLRP_SCHEDULE_DELAY: '100',
  });
  const { id, state } = await app.run({ source: 'OLD', target: 'NEW' });
  expect(state).toBe('completed');
  const mine = (type: string) =>
    envelopes.filter(
      ({ data }) =>
        data.baseType === type &&
        (data.baseData.properties as Record<string, string> | undefined)?.['keyferry.migration'] === id,
    );
  await until(() => mine('RequestData').length + mine('RemoteDependencyData').length > 0);
  await until(() => mine('MessageData').some(({ data }) => data.baseData.message === 'Migration ended'));
  // Metrics go once a minute, and when the app ends.
  await app.stop();
  const metrics = mine('MetricData').flatMap(({ data }) => data.baseData.metrics as { name: string; value: number }[]);
  expect([...new Set(metrics.map(({ name }) => name))]).toEqual(
    expect.arrayContaining(['keyferry.keys', 'keyferry.bytes', 'keyferry.page.duration', 'keyferry.progress']),
  );
  expect(metrics.filter(({ name }) => name === 'keyferry.keys').reduce((sum, { value }) => sum + value, 0)).toBe(3_000);
  expect(JSON.stringify(envelopes)).not.toMatch(/key:\d|value of/);
});
