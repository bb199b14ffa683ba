import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
// The messages of OTLP as OpenTelemetry's own package generated them from the protocol's definitions.
import root from 'otlp-protocol/build/src/generated/root.js';

/** The fields of the decoded messages that are looked at; what was not sent is null, empty or missing. */
type Attributes = readonly {
  readonly key?: string | null;
  readonly value?: {
    readonly stringValue?: string | null;
    readonly intValue?: unknown;
    readonly doubleValue?: number | null;
  } | null;
}[];

interface Span {
  readonly name: string;
  readonly traceId: Uint8Array;
  readonly spanId: Uint8Array;
  readonly parentSpanId: Uint8Array | null;
  readonly links: readonly { readonly traceId: Uint8Array; readonly spanId: Uint8Array }[];
  readonly attributes: Attributes;
  readonly status?: { readonly code?: number } | null;
}

interface Point {
  readonly attributes: Attributes;
  readonly asDouble?: number | null;
  readonly asInt?: unknown;
  readonly sum?: number | null;
  readonly count?: unknown;
}

interface Metric {
  readonly name: string;
  readonly unit: string;
  readonly sum?: { readonly dataPoints: readonly Point[] } | null;
  readonly gauge?: { readonly dataPoints: readonly Point[] } | null;
  readonly histogram?: { readonly dataPoints: readonly Point[] } | null;
}

interface LogRecord {
  readonly severityText: string;
  readonly body?: { readonly stringValue?: string | null } | null;
  readonly attributes: Attributes;
  readonly traceId: Uint8Array | null;
}

interface Decoder<T> {
  decode(body: Uint8Array): T;
}

interface Collector {
  readonly trace: {
    readonly v1: {
      readonly ExportTraceServiceRequest: Decoder<{
        readonly resourceSpans: readonly {
          readonly resource: { readonly attributes: Attributes };
          readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
        }[];
      }>;
    };
  };
  readonly metrics: {
    readonly v1: {
      readonly ExportMetricsServiceRequest: Decoder<{
        readonly resourceMetrics: readonly {
          readonly scopeMetrics: readonly { readonly metrics: readonly Metric[] }[];
        }[];
      }>;
    };
  };
  readonly logs: {
    readonly v1: {
      readonly ExportLogsServiceRequest: Decoder<{
        readonly resourceLogs: readonly {
          readonly scopeLogs: readonly {
            readonly scope: { readonly name: string };
            readonly logRecords: readonly LogRecord[];
          }[];
        }[];
      }>;
    };
  };
}

const { collector } = (root as unknown as { opentelemetry: { proto: { collector: Collector } } }).opentelemetry.proto;

export type Values = Readonly<Record<string, string | number>>;

export interface SeenSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly attributes: Values;
  readonly failed: boolean;
}

export interface SeenPoint {
  readonly metric: string;
  readonly unit: string;
  readonly attributes: Values;
  /** The sum or the last value; of a histogram, its sum. */
  readonly value: number;
  /** Of a histogram. */
  readonly count: number;
}

export interface SeenLog {
  readonly scope: string;
  readonly severity: string;
  readonly body: string;
  readonly attributes: Values;
  readonly traceId: string;
}

/** A receiver of OTLP over HTTP with protobuf, on a free port of 127.0.0.1. */
export class OtlpReceiver {
  readonly spans: SeenSpan[] = [];
  readonly logs: SeenLog[] = [];
  readonly resources: Values[] = [];
  /** All bodies as they came. */
  readonly bodies: Buffer[] = [];
  private readonly points = new Map<string, SeenPoint>();

  private constructor(private readonly server: Server) {}

  static async start(): Promise<OtlpReceiver> {
    const server = createServer();
    const receiver = new OtlpReceiver(server);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const sent = Buffer.concat(chunks);
        const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
        const known = request.headers['content-type'] === 'application/x-protobuf';
        const taken = known && receiver.take(request.url ?? '', body);
        response.writeHead(taken ? 200 : 400, { 'content-type': 'application/x-protobuf' }).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The newest point of each series of a metric: sums are cumulative. */
  series(metric: string): SeenPoint[] {
    return [...this.points.values()].filter((point) => point.metric === metric);
  }

  metricNames(): string[] {
    return [...new Set([...this.points.values()].map(({ metric }) => metric))].sort();
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private take(url: string, body: Buffer): boolean {
    this.bodies.push(body);
    if (url === '/v1/traces') this.takeSpans(body);
    else if (url === '/v1/metrics') this.takeMetrics(body);
    else if (url === '/v1/logs') this.takeLogs(body);
    else return false;
    return true;
  }

  private takeSpans(body: Buffer): void {
    for (const { resource, scopeSpans } of collector.trace.v1.ExportTraceServiceRequest.decode(body).resourceSpans) {
      this.resources.push(valuesOf(resource.attributes));
      for (const span of scopeSpans.flatMap(({ spans }) => spans)) {
        this.spans.push({
          name: span.name,
          traceId: hex(span.traceId),
          spanId: hex(span.spanId),
          parentSpanId: hex(span.parentSpanId),
          links: span.links.map((link) => ({ traceId: hex(link.traceId), spanId: hex(link.spanId) })),
          attributes: valuesOf(span.attributes),
          failed: span.status?.code === 2,
        });
      }
    }
  }

  private takeMetrics(body: Buffer): void {
    const { resourceMetrics } = collector.metrics.v1.ExportMetricsServiceRequest.decode(body);
    const metrics = resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics).flatMap((scope) => scope.metrics);
    for (const metric of metrics) {
      const numbers = [...(metric.sum?.dataPoints ?? []), ...(metric.gauge?.dataPoints ?? [])].map((point) => ({
        attributes: valuesOf(point.attributes),
        value: Number(point.asDouble ?? point.asInt ?? 0),
        count: 0,
      }));
      const histograms = (metric.histogram?.dataPoints ?? []).map((point) => ({
        attributes: valuesOf(point.attributes),
        value: point.sum ?? 0,
        count: Number(point.count ?? 0),
      }));
      for (const point of [...numbers, ...histograms]) {
        const seen = { metric: metric.name, unit: metric.unit, ...point };
        this.points.set(`${seen.metric} ${JSON.stringify(seen.attributes)}`, seen);
      }
    }
  }

  private takeLogs(body: Buffer): void {
    const { resourceLogs } = collector.logs.v1.ExportLogsServiceRequest.decode(body);
    for (const { scope, logRecords } of resourceLogs.flatMap(({ scopeLogs }) => scopeLogs)) {
      for (const record of logRecords) {
        this.logs.push({
          scope: scope.name,
          severity: record.severityText,
          body: record.body?.stringValue ?? '',
          attributes: valuesOf(record.attributes),
          traceId: hex(record.traceId),
        });
      }
    }
  }
}

function valuesOf(attributes: Attributes): Values {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [
      key ?? '',
      value?.stringValue ?? Number(value?.intValue ?? value?.doubleValue ?? 0),
    ]),
  );
}

/** Empty where nothing was sent. */
function hex(bytes: Uint8Array | null): string {
  return Buffer.from(bytes ?? []).toString('hex');
}
