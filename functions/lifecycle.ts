import { createRequire } from 'node:module';
import { app } from '@azure/functions';
import { closeApp } from '../src/app/app';
import { stopFollowers } from './shared/followers';
import { getKeeper, stopKeeper } from './shared/keeper';
import { startTelemetry, stopTelemetry } from '../src/telemetry/start-telemetry';

const telemetry = startTelemetry(process.env, (message) => {
  process.emitWarning(message);
});
// The instrumentation of @azure/functions takes hold of the module when it is asked for the next time.
if (telemetry.on) createRequire(__filename)('@azure/functions');

app.hook.appStart(() => {
  try {
    getKeeper().wake();
  } catch (error) {
    // A setting is wrong: whoever calls the app is told.
    process.emitWarning(error instanceof Error ? error.message : String(error));
  }
});

app.hook.appTerminate(async () => {
  await stopFollowers();
  await stopKeeper();
  closeApp();
  await stopTelemetry();
});
