import { z } from 'zod';
import { amount, type DocumentOf } from './document';

export const sessionCountSchema = z.object({
  sessions: amount,
  byApplication: z
    .record(z.string(), amount)
    .describe(
      "By application name, as far as names tell: the text before a session id of ASP.NET's own form (24 of a–z, 0–5).",
    ),
  locked: amount.describe('A request holds them at the moment.'),
  inVersion5: amount.describe('Version 5 has written them on the source already: theirs stay.'),
  complete: z.boolean().describe('False when the time for counting was over before the end.'),
});

/** Version 4 sessions found while planning, by what will happen to them. */
export type SessionCount = DocumentOf<typeof sessionCountSchema>;
