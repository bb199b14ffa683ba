import { z } from 'zod';

const seconds = (fallback: number) => z.coerce.number().positive().max(86_400).default(fallback);

/** The app's own settings, all optional. */
const fields = z.object({
  KEYFERRY_RANGE_SECONDS: seconds(240).describe(
    'How long one queue message works on its range before it hands itself on.',
  ),
  KEYFERRY_CHECKPOINT_SECONDS: z.coerce
    .number()
    .positive()
    .max(20)
    .default(3)
    .describe('How often a range writes down where it is.'),
  KEYFERRY_SILENCE_SECONDS: z.coerce
    .number()
    .min(5)
    .max(600)
    .default(60)
    .describe('After how long without a sign of its worker a range is sent again.'),
  KEYFERRY_STALL_SECONDS: seconds(1_800).describe('After how long without any progress a migration is given up.'),
  KEYFERRY_PAGE_MILLISECONDS: z.coerce
    .number()
    .min(0.1)
    .max(1_000)
    .default(2)
    .describe('Server time that one page should take.'),
  KEYFERRY_BIG_KEY_MIB: z.coerce
    .number()
    .min(0.01)
    .max(256)
    .default(16)
    .describe('Keys above this are copied by commands in chunks, never whole.'),
  KEYFERRY_MEMORY_MIB: z.coerce
    .number()
    .min(1)
    .max(4_096)
    .default(64)
    .describe('Bytes that one instance may have read and not yet written.'),
  KEYFERRY_FINDING_KEYS: z
    .enum(['name', 'hash'])
    .default('name')
    .describe('How keys stand in findings: by their names, or by the SHA-256 of these.'),
});

/** A worker that is well gives a sign every second checkpoint. */
const schema = fields.refine(
  ({ KEYFERRY_SILENCE_SECONDS: silence, KEYFERRY_CHECKPOINT_SECONDS: checkpoint }) => silence >= 3 * checkpoint,
  { path: ['KEYFERRY_SILENCE_SECONDS'], message: 'It must be three times KEYFERRY_CHECKPOINT_SECONDS at least' },
);

export interface AppSettings {
  readonly rangeSeconds: number;
  readonly checkpointSeconds: number;
  readonly silenceSeconds: number;
  readonly stallSeconds: number;
  readonly pageMicros: number;
  readonly bigKeyBytes: number;
  readonly bytesInFlight: number;
  readonly findingKeys: 'name' | 'hash';
}

/** Reads the app's settings. @throws Error that names the setting that is wrong */
export function readAppSettings(env: Readonly<Record<string, string | undefined>>): AppSettings {
  const known = Object.fromEntries(
    Object.keys(fields.shape).map((name) => [name, env[name] === '' ? undefined : env[name]]),
  );
  const result = schema.safeParse(known);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new Error(`The setting ${String(issue?.path[0])} is wrong: ${issue?.message ?? ''}.`);
  }
  const settings = result.data;
  return {
    rangeSeconds: settings.KEYFERRY_RANGE_SECONDS,
    checkpointSeconds: settings.KEYFERRY_CHECKPOINT_SECONDS,
    silenceSeconds: settings.KEYFERRY_SILENCE_SECONDS,
    stallSeconds: settings.KEYFERRY_STALL_SECONDS,
    pageMicros: settings.KEYFERRY_PAGE_MILLISECONDS * 1_000,
    bigKeyBytes: Math.round(settings.KEYFERRY_BIG_KEY_MIB * 1_048_576),
    bytesInFlight: Math.round(settings.KEYFERRY_MEMORY_MIB * 1_048_576),
    findingKeys: settings.KEYFERRY_FINDING_KEYS,
  };
}
