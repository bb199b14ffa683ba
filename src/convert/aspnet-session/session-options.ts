import { z } from 'zod';
import { DEFAULT_SESSION_LIMITS } from './convert-session';
import type { SessionLimitsOnServer } from './session-store';

/** What a request may say about the conversion. */
export const sessionOptions = z
  .strictObject({
    converter: z.literal('aspnet-session-v5'),
    nativeTypes: z
      .boolean()
      .default(true)
      .describe(
        "Write system values in version 5's own codes; false keeps them as BinaryFormatter wrote them, with DateTime.Kind.",
      ),
    customSerializer: z.literal('json').optional().describe('Values are from Json.NET instead of BinaryFormatter.'),
    applications: z.array(z.string().min(1).max(512)).max(256).default([]).describe('Only these application names.'),
    braceless: z.boolean().default(false).describe('Key names without braces, as provider 1.x wrote them, too.'),
    keepOld: z.boolean().default(true).describe("In place: false deletes version 4's keys after each success."),
    onLocked: z
      .enum(['retry', 'convert'])
      .default('retry')
      .describe(
        'A session that a request holds: wait up to 10 seconds and then report it, or convert it anyway. In mode live it is converted as it stands, and again when the request has written.',
      ),
    defaultTimeoutSeconds: z
      .int()
      .min(60)
      .max(31_536_000)
      .multipleOf(60)
      .optional()
      .describe("Timeout for sessions that have none; without it version 5's configuration decides."),
    force: z.boolean().default(false).describe('Overwrite sessions that version 5 has written already.'),
  })
  .meta({ id: 'AspNetSessionConversion' });

export type SessionOptions = Readonly<z.output<typeof sessionOptions>>;

/** What the servers allow, and how they stand to each other. */
export interface SessionServers {
  readonly inPlace: boolean;
  /** The target's sessions are the migration's own, and a change of one on the source comes after. */
  readonly follows: boolean;
  /** Sessions that one script may touch, on each side. */
  readonly sourceAtOnce: number;
  readonly targetAtOnce: number;
  /** MEMORY USAGE may be asked on the source. */
  readonly memoryUsage: boolean;
}

/** A session above this is reported, not converted. */
export const MOST_SESSION_BYTES = 64 * 1_048_576;
/** Of one page so many bytes of sessions are read ahead; the rest is read when it is written, so many bytes at a time. */
export const READ_AHEAD_BYTES = 2 * 1_048_576;

/** What a session may have, as scripts on the source can see it. */
export function limitsOn({ memoryUsage }: SessionServers): SessionLimitsOnServer {
  return { items: DEFAULT_SESSION_LIMITS.items, bytes: memoryUsage ? MOST_SESSION_BYTES : 0 };
}

/** A session that version 5 has on the source is copied as it is, so that version 4's of the same user is left out. */
export function leavesNewer(options: SessionOptions, servers: SessionServers): boolean {
  return !servers.inPlace && !options.force;
}
