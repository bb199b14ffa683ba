import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { BindingInfo, InvocationRequest, InvocationResponse } from '../../../local/worker/core-types';

/** What was recorded between a real Functions host and the app in test/local/fixture-app. */
export interface Recording {
  metadata: Record<string, { name: string; bindings: Record<string, BindingInfo>; rawBindings: string[] }>;
  invocations: RecordedInvocation[];
  management: {
    request: { method: string; path: string; headers: Record<string, string>; body: string };
    response: { status: number; headers: Record<string, string>; body: string };
  }[];
}

export interface RecordedInvocation {
  n: number;
  function: string;
  request: InvocationRequest;
  /** Null when the function threw. */
  response: InvocationResponse | null;
}

export function readRecording(): Recording {
  const file = path.resolve(__dirname, '../../fixtures/functions-host.json');
  return JSON.parse(readFileSync(file, 'utf8'), reviveBytes) as Recording;
}

/** `{ base64 }` is a Buffer; a Uint8Array was written as an object with numbers for names. */
function reviveBytes(name: string, value: unknown): unknown {
  if (name !== 'bytes' || typeof value !== 'object' || value === null) return value;
  if ('base64' in value) return Buffer.from(String(value.base64), 'base64');
  return Uint8Array.from(Object.values(value) as number[]);
}

/** The orchestrator trigger's input of a recorded episode. */
export function episodeOf(request: InvocationRequest): { history: Record<string, unknown>[]; [name: string]: unknown } {
  return JSON.parse(request.inputData[0]?.data.string ?? '') as ReturnType<typeof episodeOf>;
}
