import { randomUUID } from 'node:crypto';
import type { LiveRow } from '../migration/live';

const LEFT = 'Nobody followed the source for a while.';
const DIED = 'Whoever followed the source has died, or was cut off.';

const NEVER = {
  runId: '',
  written: 0,
  deleted: 0,
  gaps: 0,
  lastGap: null,
  builders: [],
  clockDoubtMs: 0,
  takeovers: 0,
};

/** Whether the session of whoever followed before goes on: all that it has not applied is known. If not, why that is lost. */
export type Succession = { readonly inherits: true } | { readonly lost: string | null };

/** The row that one begins to follow a source with. @param before of whoever followed before */
export function begunFollowing(
  migration: string,
  before: LiveRow | undefined,
  now: string,
  succession: Succession,
): Omit<LiveRow, 'etag'> {
  const begun = {
    ...(before ?? NEVER),
    migration,
    holder: randomUUID(),
    generation: (before?.generation ?? 0) + 1,
    heartbeat: now,
    listeningSince: before?.listeningSince ?? null,
    waiting: 0,
    kept: 0,
    lagMs: 0,
    findings: 0,
    trouble: null,
    step: null,
    quietSince: null,
    proof: null,
    writers: before?.writers ?? null,
    acknowledged: null,
  };
  if ('inherits' in succession && before !== undefined) {
    return {
      ...begun,
      session: before.session,
      feed: before.feed,
      settled: before.settled,
      takeovers: before.takeovers + 1,
    };
  }
  const lost = 'lost' in succession ? succession.lost : null;
  return {
    ...begun,
    session: '',
    feed: null,
    settled: false,
    // Whoever followed before heard what this one cannot know of.
    ...(before === undefined || before.listeningSince === null
      ? {}
      : { gaps: before.gaps + 1, lastGap: lost ?? (before.holder === '' ? LEFT : DIED) }),
  };
}
