import { z } from 'zod';
import { safeText } from '../basics/safe-text';

/** A setting's text as a number within bounds. */
const number = (fallback: number, least: number, most: number, means: string) =>
  z
    .string()
    .transform((text, context) => {
      const value = text.trim() === '' ? Number.NaN : Number(text);
      if (value >= least && value <= most) return value;
      const bounds = `from ${least.toLocaleString('en')} to ${most.toLocaleString('en')}`;
      context.addIssue(`"${safeText(text, 40)}" is not a number ${bounds}`);
      return z.NEVER;
    })
    .default(fallback)
    .describe(means);

const DAY = 86_400;

/** The app's own settings, all optional. */
const fields = z.object({
  KEYFERRY_RANGE_SECONDS: number(240, 0.5, DAY, 'How long one message works on its range before it hands itself on.'),
  KEYFERRY_CHECKPOINT_SECONDS: number(3, 0.1, 20, 'How often a range writes down where it is.'),
  KEYFERRY_SILENCE_SECONDS: number(10, 2, 600, 'After how long without a sign of its worker a range is sent again.'),
  KEYFERRY_STALL_SECONDS: number(1_800, 10, DAY, 'After how long without any progress a migration is given up.'),
  KEYFERRY_PAGE_MILLISECONDS: number(2, 0.1, 1_000, 'Server time that one page should take.'),
  KEYFERRY_BIG_KEY_MIB: number(16, 0.01, 256, 'Keys above this are copied by commands in chunks, never whole.'),
  KEYFERRY_MEMORY_MIB: number(64, 1, 4_096, 'Bytes that one instance may have read and not yet written.'),
  KEYFERRY_FINDING_KEYS: z
    .enum(['name', 'hash'], {
      error: ({ input }) => `${JSON.stringify(safeText(String(input), 40))} is neither name nor hash`,
    })
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
