import { readTelemetrySettings } from '../../src/telemetry/telemetry-settings';
import { formatTraceparent, parseTraceparent } from '../../src/telemetry/trace-context';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

describe('settings', () => {
  test.each([
    ['nothing', {}],
    ['empty places', { APPLICATIONINSIGHTS_CONNECTION_STRING: '', OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }],
    ['the SDK turned off', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318', OTEL_SDK_DISABLED: 'TRUE' }],
    ['a name without a place', { OTEL_SERVICE_NAME: 'mine' }],
  ])('%s: no telemetry', (_what, env) => {
    expect(readTelemetrySettings(env)).toBeUndefined();
  });

  test.each(['', '_TRACES', '_METRICS', '_LOGS'])('OTEL_EXPORTER_OTLP%s_ENDPOINT begins OTLP', (part) => {
    expect(readTelemetrySettings({ [`OTEL_EXPORTER_OTLP${part}_ENDPOINT`]: 'http://localhost:4318' })).toEqual({
      azureMonitor: undefined,
      otlp: { metricIntervalMs: 60_000 },
      serviceName: 'keyferry',
    });
  });

  test.each([
    ['ClientId=7a;Authorization=AAD', { clientId: '7a' }],
    ['Authorization=AAD', { clientId: undefined }],
    [' authorization = AAD ; clientid = 7a ', { clientId: '7a' }],
    ['', undefined],
    ['ClientId=7a', undefined],
  ])('the authentication string "%s"', (text, entra) => {
    const env = {
      APPLICATIONINSIGHTS_CONNECTION_STRING: 'InstrumentationKey=1',
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING: text,
      WEBSITE_SITE_NAME: 'func-1',
    };
    expect(readTelemetrySettings(env)).toEqual({
      azureMonitor: { connectionString: 'InstrumentationKey=1', entra },
      otlp: undefined,
      serviceName: 'func-1',
    });
  });
});

describe('traceparent', () => {
  it('is read and written', () => {
    const text = `00-${TRACE}-${SPAN}-01`;
    const context = parseTraceparent(text);
    expect(context).toEqual({ traceId: TRACE, spanId: SPAN, traceFlags: 1, isRemote: true });
    expect(context && formatTraceparent(context)).toBe(text);
  });

  test.each([
    undefined,
    '',
    'x',
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01x`,
  ])('"%s" is none', (text) => {
    expect(parseTraceparent(text)).toBeUndefined();
  });
});
