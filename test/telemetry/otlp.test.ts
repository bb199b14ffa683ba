import type { AppProcess } from '../tools/app-process';
import { until } from '../tools/app-process';
import { fill } from '../e2e/support/fill';
import { fillFieldExpiries } from '../e2e/support/fill-odd';
import { Stage, type Side } from '../tools/stage';
import { OtlpReceiver, type SeenLog, type SeenPoint, type SeenSpan } from './support/otlp-receiver';

const KEYS = 30_000;
const stage = new Stage();
let receiver: OtlpReceiver;
let app: AppProcess;
let old: Side;
let neu: Side;

beforeAll(async () => {
  receiver = await OtlpReceiver.start();
  old = await stage.side('redis-7.0');
  neu = await stage.side('redis-7.0');
  const newer = await stage.side('redis-8.0');
  await fillFieldExpiries(newer);
  await fill(old, KEYS - 1);
  await old.client.set('SECRET-KEY-NAME', 'SECRET-VALUE');
  app = await stage.app({
    ...stage.connections({ OLD: old, NEW: neu }),
    REDIS_MOVER: `redis://mover:moving@127.0.0.1:${neu.server.port}`,
    REDIS_NEWER: newer.server.url,
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_METRIC_EXPORT_INTERVAL: '300',
    OTEL_BSP_SCHEDULE_DELAY: '100',
    OTEL_BLRP_SCHEDULE_DELAY: '100',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment=test',
  });
});

afterAll(async () => {
  await stage.clear();
  await receiver.close();
});

/** The sum over a metric's series of one migration, by the value of an attribute. */
function sums(metric: string, migration: string, by: string, of: (point: SeenPoint) => number = ({ value }) => value) {
  const result: Record<string, number> = {};
  for (const point of receiver.series(metric)) {
    if (point.attributes['keyferry.migration'] !== migration) continue;
    const name = String(point.attributes[by] ?? '');
    result[name] = (result[name] ?? 0) + of(point);
  }
  return result;
}

describe('a whole migration', () => {
  const trace = '0af7651916cd43dd8448eb211c80319c';
  let id: string;
  beforeAll(async () => {
    const response = await fetch(`${app.url}/api/migrations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', traceparent: `00-${trace}-b7ad6b7169203331-01` },
      body: JSON.stringify({ source: 'OLD', target: 'NEW', select: { exclude: ['key:7'] } }),
    });
    ({ id } = (await response.json()) as { id: string });
    const report = await app.finished(id);
    expect(report).toMatchObject({ state: 'completed', counts: { copied: KEYS - 1, skippedByFilter: 1 } });
    await until(() => sums('keyferry.migrations.ended', id, 'keyferry.state').completed === 1);
    await until(() => sums('keyferry.keys', id, 'keyferry.outcome').copied === KEYS - 1);
  });

  it('is counted by outcomes, in bytes and in findings', async () => {
    expect(sums('keyferry.keys', id, 'keyferry.outcome')).toEqual({ copied: KEYS - 1, skippedByFilter: 1 });
    expect(sums('keyferry.bytes', id, '')).toEqual({ '': (await app.report(id)).counts.bytes });
  });

  it('is timed: pages on both sides, the source as it says itself, ranges by their ends', () => {
    const calls = sums('keyferry.page.duration', id, 'keyferry.side', ({ count }) => count);
    expect(Object.keys(calls).sort()).toEqual(['source', 'target']);
    expect(calls.target).toBeGreaterThan(KEYS / 2_000);
    const seconds = sums('keyferry.page.duration', id, 'keyferry.side');
    const onServer = sums('keyferry.page.server_duration', id, 'keyferry.side');
    expect(onServer.source).toBeGreaterThan(0);
    expect(onServer.source).toBeLessThan(seconds.source ?? 0);
    const ranges = sums('keyferry.range.duration', id, 'keyferry.end', ({ count }) => count);
    expect(ranges.done).toBeGreaterThanOrEqual(4);
  });

  it('has its progress in gauges, to its end', async () => {
    await until(() => sums('keyferry.progress', id, '')[''] === 100);
    expect(sums('keyferry.ranges.left', id, 'keyferry.phase')).toMatchObject({ copy: 0 });
    expect(sums('keyferry.ranges.failed', id, 'keyferry.phase')).toMatchObject({ copy: 0 });
    expect(sums('keyferry.findings.total', id, '')).toEqual({ '': 0 });
    expect(sums('keyferry.quiet', id, '')).toEqual({ '': 0 });
    expect(sums('keyferry.rate', id, '')['']).toBeGreaterThan(0);
  });

  it('has a span a range, linked to the start, which belongs to the trace of the caller', async () => {
    const { total } = (await app.report(id)).progress.ranges;
    const ranges = () =>
      receiver.spans.filter(
        ({ name, attributes }) => name === 'keyferry.range' && attributes['keyferry.migration'] === id,
      );
    await until(() => new Set(ranges().map(({ attributes }) => attributes['keyferry.range'])).size === total);
    const start = receiver.spans.find((span) => span.name === 'keyferry.start' && span.traceId === trace);
    expect(start).toMatchObject({ parentSpanId: 'b7ad6b7169203331', failed: false });
    for (const span of ranges()) {
      expect(span.links).toEqual([{ traceId: trace, spanId: start?.spanId }]);
      expect(span.attributes['keyferry.range']).toMatch(/^(copy|look)-\d{5}$/);
      expect(span.failed).toBe(false);
    }
  });

  it('is in the logs with its id, and so are the lines of functions', async () => {
    const bodies = () => receiver.logs.filter(({ attributes }) => attributes['keyferry.migration'] === id);
    await until(() => bodies().some(({ body }) => body === 'Migration ended'));
    expect(bodies().find(({ body }) => body === 'Migration started')).toMatchObject({
      severity: 'INFO',
      traceId: trace,
    });
    expect(bodies().find(({ body }) => body === 'Migration ended')).toMatchObject({
      attributes: { 'keyferry.state': 'completed' },
    });
    await until(() => receiver.logs.some(({ scope }) => scope === '@azure/functions-opentelemetry-instrumentation'));
  });
});

it('findings are counted, and told from the ledger', async () => {
  await neu.client.flushall();
  const { id } = await app.run({ source: 'NEWER', target: 'NEW' });
  await until(() => sums('keyferry.findings.total', id, '')[''] === 3);
  expect(sums('keyferry.findings', id, '')).toEqual({ '': 3 });
  const ended = ({ body, attributes }: SeenLog) =>
    body === 'Migration ended' && attributes['keyferry.migration'] === id;
  await until(() => receiver.logs.some(ended));
  expect(receiver.logs.find(ended)).toMatchObject({ severity: 'WARN' });
});

it('a range that fails is logged with its cause, and its span has failed', async () => {
  await neu.client.flushall();
  await neu.client.call('ACL', 'SETUSER', 'mover', 'on', '>moving', '~*', '&*', '+@all');
  const id = await app.migrate({ source: 'OLD', target: 'MOVER', verify: 'none', limits: { keysPerSecond: 100 } });
  await neu.client.call('ACL', 'SETUSER', 'mover', '-@write');
  expect(await app.finished(id)).toMatchObject({ state: 'failed' });
  const of = ({ attributes }: SeenLog | SeenSpan) => attributes['keyferry.migration'] === id;
  await until(() => receiver.logs.some((log) => of(log) && log.body === 'Migration ended'));
  expect(receiver.logs.find((log) => of(log) && log.body === 'Range failed')).toMatchObject({ severity: 'ERROR' });
  const held = receiver.logs.find((log) => of(log) && log.body === 'Range held up');
  expect(held?.attributes).toMatchObject({ 'keyferry.trouble': expect.stringMatching(/MOVER.*may not run/) as string });
  expect(receiver.spans.some((span) => of(span) && span.failed)).toBe(true);
  expect(sums('keyferry.range.duration', id, 'keyferry.end', ({ count }) => count).failed).toBeGreaterThan(0);
});

it('carries no key, no value and no address', () => {
  const all = Buffer.concat(receiver.bodies).toString('latin1');
  expect(receiver.bodies.length).toBeGreaterThan(5);
  expect(all).toContain('keyferry.range');
  for (const word of ['SECRET-KEY-NAME', 'SECRET-VALUE', 'key:', 'fields:', `:${old.server.port}`])
    expect(all).not.toContain(word);
});

it('says whose it is', () => {
  expect(receiver.resources[0]).toMatchObject({ 'service.name': 'keyferry', 'deployment.environment': 'test' });
});

it('has every metric there is', () => {
  expect(receiver.metricNames()).toEqual([
    'keyferry.bytes',
    'keyferry.findings',
    'keyferry.findings.total',
    'keyferry.keys',
    'keyferry.migrations.ended',
    'keyferry.page.duration',
    'keyferry.page.server_duration',
    'keyferry.progress',
    'keyferry.quiet',
    'keyferry.range.duration',
    'keyferry.ranges.failed',
    'keyferry.ranges.left',
    'keyferry.rate',
  ]);
});
