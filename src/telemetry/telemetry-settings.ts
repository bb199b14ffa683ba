/** Where telemetry goes, as the settings say. */
export interface TelemetrySettings {
  readonly azureMonitor:
    | {
        readonly connectionString: string;
        /** Sign in with Entra ID, as Application Insights without local authentication asks for. */
        readonly entra: { readonly clientId: string | undefined } | undefined;
      }
    | undefined;
  /** The standard settings of OpenTelemetry say the rest; its exporters read them by themselves. */
  readonly otlp: { readonly metricIntervalMs: number } | undefined;
  readonly serviceName: string;
}

const OTLP_ENDPOINTS = [
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
  'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT',
  'OTEL_EXPORTER_OTLP_LOGS_ENDPOINT',
];
const METRIC_INTERVAL_MS = 60_000;

/** Reads the settings; undefined when they name no place for telemetry, or OTEL_SDK_DISABLED says so. */
export function readTelemetrySettings(
  env: Readonly<Record<string, string | undefined>>,
): TelemetrySettings | undefined {
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return undefined;
  const connectionString = given(env.APPLICATIONINSIGHTS_CONNECTION_STRING);
  const otlp = OTLP_ENDPOINTS.some((name) => given(env[name]) !== undefined);
  if (connectionString === undefined && !otlp) return undefined;
  const interval = Number(env.OTEL_METRIC_EXPORT_INTERVAL);
  return {
    azureMonitor: connectionString === undefined ? undefined : { connectionString, entra: entraOf(env) },
    otlp: otlp ? { metricIntervalMs: interval > 0 ? interval : METRIC_INTERVAL_MS } : undefined,
    serviceName: given(env.OTEL_SERVICE_NAME) ?? given(env.WEBSITE_SITE_NAME) ?? 'keyferry',
  };
}

/** The form that the Functions host reads too: `ClientId=<id>;Authorization=AAD`, without an id for the system's identity. */
function entraOf(env: Readonly<Record<string, string | undefined>>): { clientId: string | undefined } | undefined {
  const text = given(env.APPLICATIONINSIGHTS_AUTHENTICATION_STRING);
  if (text === undefined) return undefined;
  const parts = new Map(
    text.split(';').map((part): [string, string] => {
      const [name = '', value = ''] = part.split('=', 2);
      return [name.trim().toLowerCase(), value.trim()];
    }),
  );
  return parts.get('authorization') === 'AAD' ? { clientId: given(parts.get('clientid')) } : undefined;
}

function given(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === '' ? undefined : value;
}
