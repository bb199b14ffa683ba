import { createRequire } from 'node:module';
import { app } from '@azure/functions';
import { closeApp } from '../src/app/app';
import { startTelemetry, stopTelemetry } from '../src/telemetry/start-telemetry';

const telemetry = startTelemetry(process.env, (message) => {
  process.emitWarning(message);
});
// The instrumentation of @azure/functions takes hold of the module when it is asked for the next time.
if (telemetry.on) createRequire(__filename)('@azure/functions');

app.hook.appTerminate(async () => {
  closeApp();
  await stopTelemetry();
});
