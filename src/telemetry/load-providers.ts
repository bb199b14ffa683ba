import { hostname } from 'node:os';
import { AzureFunctionsInstrumentation } from '@azure/functions-opentelemetry-instrumentation';
import { logs } from '@opentelemetry/api-logs';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import type * as azureMonitor from './azure-monitor';
import { loadBeside } from './load-beside';
import { OpenTelemetry } from './open-telemetry';
import type * as otlpModule from './otlp';
import type { Telemetry } from './telemetry';
import type { TelemetrySettings } from './telemetry-settings';

/**
 * Registers providers for the places that the settings name. Only this module and those it loads know the libraries of
 * OpenTelemetry; it is loaded only when there is such a place, since they take a second and tens of megabytes.
 */
export function loadProviders(
  settings: TelemetrySettings,
  env: Readonly<Record<string, string | undefined>>,
): Telemetry {
  const resource = resourceFromAttributes({
    'service.name': settings.serviceName,
    'service.instance.id': env.WEBSITE_INSTANCE_ID ?? `${hostname()}-${process.pid}`,
  }).merge(detectResources({ detectors: [envDetector] }));
  const otlp = settings.otlp === undefined ? undefined : (loadBeside(__filename, './otlp') as typeof otlpModule);
  const senders = otlp?.otlpSenders(settings.otlp?.metricIntervalMs ?? 0);
  let end: () => Promise<void> = () => Promise.resolve();
  if (settings.azureMonitor !== undefined) {
    const azure = loadBeside(__filename, './azure-monitor') as typeof azureMonitor;
    end = azure.useAzure(settings.azureMonitor, resource, senders ?? {});
  } else if (otlp !== undefined && senders !== undefined) {
    end = otlp.useOtlp(resource, senders);
  }
  // Lines of functions go where the app's own go, and functions run in the trace that the host has begun.
  const instrumentation = new AzureFunctionsInstrumentation();
  instrumentation.setLoggerProvider(logs.getLoggerProvider());
  return new OpenTelemetry(end);
}
