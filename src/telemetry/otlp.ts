import { context, metrics, propagation, trace } from '@opentelemetry/api';
import { logs } from '@opentelemetry/api-logs';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import type { Resource } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider, type LogRecordProcessor } from '@opentelemetry/sdk-logs';
import { MeterProvider, PeriodicExportingMetricReader, type MetricReader } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, BatchSpanProcessor, type SpanProcessor } from '@opentelemetry/sdk-trace-base';

/** What sends telemetry by OTLP over HTTP, for the providers of whoever makes them. */
export interface OtlpSenders {
  readonly spanProcessors: SpanProcessor[];
  readonly metricReaders: MetricReader[];
  readonly logRecordProcessors: LogRecordProcessor[];
}

/** Makes the senders. Endpoints, headers and time-outs come from the standard settings OTEL_EXPORTER_OTLP_…. */
export function otlpSenders(exportIntervalMillis: number): OtlpSenders {
  return {
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
    metricReaders: [
      new PeriodicExportingMetricReader({
        exporter: new OTLPMetricExporter(),
        exportIntervalMillis,
        exportTimeoutMillis: Math.min(exportIntervalMillis, 30_000),
      }),
    ],
    logRecordProcessors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter() })],
  };
}

/** Registers providers that send by OTLP and nowhere else. Returns what ends them. */
export function useOtlp(resource: Resource, senders: OtlpSenders): () => Promise<void> {
  const tracing = new BasicTracerProvider({ resource, spanProcessors: senders.spanProcessors });
  const metering = new MeterProvider({ resource, readers: senders.metricReaders });
  const logging = new LoggerProvider({ resource, processors: senders.logRecordProcessors });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(tracing);
  metrics.setGlobalMeterProvider(metering);
  logs.setGlobalLoggerProvider(logging);
  return async () => {
    await Promise.allSettled([tracing.shutdown(), metering.shutdown(), logging.shutdown()]);
  };
}
