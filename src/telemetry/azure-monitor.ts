import { shutdownAzureMonitor, useAzureMonitor } from '@azure/monitor-opentelemetry';
import type { Resource } from '@opentelemetry/resources';
import { lazyAzureCredential } from '../identity/azure-credential';
import type { OtlpSenders } from './otlp';
import type { TelemetrySettings } from './telemetry-settings';

const off = { enabled: false };

/**
 * Registers providers that send to Azure Monitor, and by OTLP too where senders are given. Libraries are not
 * instrumented: a span for each command to Redis or each row of a table would be millions of them.
 */
export function useAzure(
  { connectionString, entra }: NonNullable<TelemetrySettings['azureMonitor']>,
  resource: Resource,
  senders: Partial<OtlpSenders>,
): () => Promise<void> {
  useAzureMonitor({
    azureMonitorExporterOptions: {
      connectionString,
      ...(entra === undefined ? {} : { credential: lazyAzureCredential(entra.clientId) }),
    },
    resource,
    ...senders,
    // One span a range and one a start: few enough to keep them all.
    samplingRatio: 1,
    tracesPerSecond: 0,
    enableTraceBasedSamplingForLogs: false,
    enableLiveMetrics: true,
    enablePerformanceCounters: false,
    instrumentationOptions: {
      azureSdk: off,
      http: off,
      mongoDb: off,
      mySql: off,
      postgreSql: off,
      redis: off,
      redis4: off,
      bunyan: off,
      winston: off,
      console: off,
    },
  });
  return shutdownAzureMonitor;
}
