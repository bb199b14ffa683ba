/** Version 4 sessions found while planning, by what will happen to them. */
export interface SessionCount {
  readonly sessions: number;
  /** By application name, as far as names tell: the text before a session id of ASP.NET's own form (24 of a–z, 0–5). */
  readonly byApplication: Readonly<Record<string, number>>;
  /** A request holds them at the moment. */
  readonly locked: number;
  /** Version 5 has written them on the source already: theirs stay. */
  readonly inVersion5: number;
  /** False when the time for counting was over before the end. */
  readonly complete: boolean;
}
