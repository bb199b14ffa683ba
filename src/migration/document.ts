import { z } from 'zod';

/** What a document's schema describes, not to be changed. */
export type DocumentOf<Schema extends z.ZodType> = ReadonlyDeep<z.output<Schema>>;

type ReadonlyDeep<T> = { readonly [Key in keyof T]: ReadonlyDeep<T[Key]> };

/** A number of keys, bytes or the like. */
export const amount = z.int().min(0);

export const isoTime = z.string().describe('ISO 8601.');
