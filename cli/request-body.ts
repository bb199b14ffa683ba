import type { Databases, RenameRule } from './option-values';

/** The options of `migrate` that go into the request. */
export interface RequestOptions {
  readonly mode?: string;
  readonly databases?: Databases;
  readonly match?: readonly string[];
  readonly exclude?: readonly string[];
  readonly types?: readonly string[];
  readonly onConflict?: string;
  readonly rename?: readonly RenameRule[];
  /** Names, or objects with options. */
  readonly convert?: readonly unknown[];
  readonly verify?: string;
  readonly keysPerSecond?: number;
  readonly bytesPerSecond?: number;
  /** ms */
  readonly maxSourceLatency?: number;
  readonly parallelRanges?: number;
  readonly requestId?: string;
  readonly deleteExtra?: boolean;
  readonly force?: boolean;
  readonly shrinkPercent?: number;
}

/** The body of POST /api/migrations; what was not asked for is left to the app. */
export function requestBody(options: RequestOptions, source: unknown, target: unknown): Record<string, unknown> {
  const { match, exclude, types, keysPerSecond, bytesPerSecond, maxSourceLatency, parallelRanges, shrinkPercent } =
    options;
  const select = given({ match, exclude, types });
  const limits = given({
    keysPerSecond,
    bytesPerSecond,
    maxSourceLatencyMs: maxSourceLatency,
    parallelRanges,
    shrinkPercent,
  });
  return {
    source,
    target,
    ...given({
      mode: options.mode,
      databases: options.databases,
      select: Object.keys(select).length === 0 ? undefined : select,
      onConflict: options.onConflict,
      rename: options.rename,
      convert: options.convert,
      verify: options.verify,
      deleteExtra: options.deleteExtra,
      force: options.force,
      limits: Object.keys(limits).length === 0 ? undefined : limits,
      requestId: options.requestId,
    }),
  };
}

function given(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

const optionOf: readonly [path: RegExp, option: string][] = [
  [/^(source|target)\.file\b/, 'the file'],
  [/^source\b/, '--source'],
  [/^target\b/, '--target'],
  [/^databases\b/, '--databases'],
  [/^select\.match\b/, '--match'],
  [/^select\.exclude\b/, '--exclude'],
  [/^select\.types\b/, '--types'],
  [/^onConflict\b/, '--on-conflict'],
  [/^rename\b/, '--rename'],
  [/^convert\b/, '--convert'],
  [/^verify\b/, '--verify'],
  [/^limits\.keysPerSecond\b/, '--keys-per-second'],
  [/^limits\.bytesPerSecond\b/, '--bytes-per-second'],
  [/^limits\.maxSourceLatencyMs\b/, '--max-source-latency'],
  [/^limits\.parallelRanges\b/, '--parallel-ranges'],
  [/^limits\.shrinkPercent\b/, '--shrink-percent'],
  [/^deleteExtra\b/, '--delete-extra'],
  [/^force\b/, '--force'],
  [/^requestId\b/, '--request-id'],
];

/** A mistake in a request in the words of the command line. */
export function mistakeLine({ path, message }: { readonly path: string; readonly message: string }): string {
  const option = optionOf.find(([pattern]) => pattern.test(path))?.[1];
  if (option === undefined) return path === '' ? message : `${path}: ${message}`;
  return `${option}${path.includes('.') ? ` (${path})` : ''}: ${message}`;
}
