import { z } from 'zod';

const amount = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const cursor = z.string().regex(/^\d{1,20}$/);
const streamId = z.string().regex(/^\d{1,20}-\d{1,20}$/);

const sums = z.object({
  ...{ elements: amount, bytes: amount, first: amount, second: amount },
  /** Where the walk goes on; null at its end. */
  next: cursor.nullable(),
});

/** A string or list: how long it was at the beginning, how much of it is written, and up to where it was looked at again. */
const ordered = z.object({ kind: z.literal('ordered'), length: amount, written: amount, seen: amount });

/** A set, hash or sorted set. `elements`: how many the temporary key has; `expiring`: fields with expiries of their own. */
const scanned = z.object({
  ...{ kind: z.literal('scanned'), next: cursor.nullable(), steps: amount, elements: amount, expiring: amount },
  look: z.object({ here: sums, there: sums }).optional(),
});

/**
 * A stream: what it was at the beginning, the last id written of it, and up to which one it was looked at again. `top`: the
 * greatest id that the temporary key has seen.
 */
const stream = z.object({
  kind: z.literal('stream'),
  info: z.object({
    ...{ length: amount, lastId: streamId, entriesAdded: amount.optional(), maxDeleted: streamId.optional() },
    groups: z.array(
      z.object({
        ...{ name: z.base64(), lastDelivered: streamId, pending: amount, consumers: amount },
        entriesRead: z.number().int().optional(),
      }),
    ),
  }),
  ...{ consumers: amount, entries: amount, through: streamId, top: streamId, seen: streamId },
  /** Numbers of what is pending that were too great to be exact. */
  inexact: amount.default(0),
});

const body = z.discriminatedUnion('kind', [ordered, scanned, stream]);

const temporaryPlace = z.object({ generation: amount, lane: amount });

const kinds: Readonly<Record<string, string>> = {
  ...{ string: 'ordered', list: 'ordered', set: 'scanned', hash: 'scanned', zset: 'scanned', stream: 'stream' },
};

const build = z.object({
  type: z.string(),
  /** The names that the temporary key may stand under, the latest first. */
  temporary: z.array(temporaryPlace).min(1),
  /** Payload bytes written. */
  bytes: amount,
  body,
  /** It was told to give the key its real name: where it is gone, that may be why. */
  publishing: z.boolean(),
});

/** The form of a `KeyPlace` as it is stored. */
export const keyPlaceSchema = z.object({
  attempt: amount,
  build: build.refine(({ type, body: { kind } }) => kinds[type] === kind).optional(),
});

/** How far the copy of one value got. */
export type BodyPlace = z.infer<typeof body>;

/** How far the copy of one key got: attempts that failed before, and what the temporary key on the target holds. */
export type KeyPlace = z.infer<typeof keyPlaceSchema>;

/** What the temporary key holds. */
export type Build = z.infer<typeof build>;

/** Who built a temporary key, and as which of his builds of the key. */
export type TemporaryPlace = z.infer<typeof temporaryPlace>;

/** Remembers where the copy of one key is, so that what is cut off (a lost connection, the end of a message's time) is gone on with. */
export interface PlaceKeeper {
  get(): KeyPlace | undefined;
  set(place: KeyPlace | undefined): void;
}
