import type * as providers from './load-providers';
import { loadBeside } from './load-beside';
import { noTelemetry, type Telemetry } from './telemetry';
import { readTelemetrySettings } from './telemetry-settings';

let current: Telemetry = noTelemetry;

/**
 * Begins to record, where the settings name a place for it; otherwise nothing is even loaded. To be called once, while
 * the functions load. What goes wrong with it keeps nothing from working.
 * @param warn told that telemetry could not begin
 */
export function startTelemetry(
  env: Readonly<Record<string, string | undefined>>,
  warn: (message: string) => void,
): Telemetry {
  try {
    const settings = readTelemetrySettings(env);
    if (settings === undefined || current.on) return current;
    const { loadProviders } = loadBeside(__filename, './load-providers') as typeof providers;
    current = loadProviders(settings, env);
  } catch (error) {
    warn(
      `Telemetry could not begin (${error instanceof Error ? error.name : 'unknown error'}); the app works without.`,
    );
  }
  return current;
}

/** The process's telemetry: one that records nothing unless `startTelemetry` found a place. */
export function getTelemetry(): Telemetry {
  return current;
}

/** Sends what is left and ends. */
export async function stopTelemetry(): Promise<void> {
  const ending = current;
  current = noTelemetry;
  await ending.shutdown().catch(() => undefined);
}
