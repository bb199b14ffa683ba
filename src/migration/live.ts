import { z } from 'zod';
import { feedKinds, type FeedKind } from '../redis/feed-connection';
import { amount, isoTime, type DocumentOf } from './document';
import { isFollowed, stationOf } from './phases';
import type { Plan } from './plan';
import { isFinal, type MigrationRow } from './rows';
import { standsStill, type Mark } from './since';
import { wayBackState, wayBackStates, type WayBack } from './way-back';

/** What a cut-over waits for: that the source stands still, that all it changed is applied, that streams are copied again, nothing. */
export const cutoverSteps = ['quiet', 'drain', 'streams', 'proved'] as const;
export type CutoverStep = (typeof cutoverSteps)[number];

/** What was seen of the source before a cut-over is said to be proved. */
export interface Proof {
  /** The source as it was when its writers had stopped: what is proved holds as long as it stays so. */
  readonly source: Mark;
  /** Since when it stood still, and when all was proved. ISO 8601. */
  readonly quietSince: string;
  readonly at: string;
  /** What the source took to say that it had told everything, ms. */
  readonly barrierMs: number;
  /** What was left to be applied when the source was quiet, and how long that took. */
  readonly names: number;
  readonly drainMs: number;
  /** Streams with groups that were copied again for what no feed tells of them. */
  readonly streams: number;
}

/** A client of the source that may be writing to it: its last command may change keys, or did when it was looked at before. */
export interface Writer {
  /** Empty where it gave itself none. */
  readonly name: string;
  /** As the source sees it. */
  readonly address: string;
  readonly database: number;
  /** The command, without its arguments. */
  readonly command: string;
  /** How long before the list was made. */
  readonly secondsAgo: number;
}

/** Who writes to a source, as it tells it of its clients. */
export interface Writers {
  /** ISO 8601. */
  readonly at: string;
  /** It does not tell who its clients are to the user that Keyferry signs in as. */
  readonly untold: boolean;
  /** Clients of the source, without those of Keyferry. */
  readonly clients: number;
  /** How many of them have written not long before, and the latest of those. */
  readonly writing: number;
  readonly latest: readonly Writer[];
}

/** What follows a source, as the ledger has it: written by its holder alone, always whole. Times are ISO 8601. */
export interface LiveRow {
  readonly migration: string;
  /** Who follows: another one with every start of a follower. */
  readonly holder: string;
  /** Grows with each holder: the one before stops at its next write. */
  readonly generation: number;
  /** Time in which every change is told, and kept: another one after each gap. Empty while nobody listens. */
  readonly session: string;
  /** The source's process in this session. */
  readonly runId: string;
  readonly feed: FeedKind | null;
  readonly listeningSince: string | null;
  /** All names that were kept in this session have been applied once more, and none is kept any longer. */
  readonly settled: boolean;
  readonly heartbeat: string;
  /** Names to be applied, those that are kept for the end of a pass, and for how long the oldest one has waited, ms. */
  readonly waiting: number;
  readonly kept: number;
  readonly lagMs: number;
  /** Keys written and deleted, all in all. */
  readonly written: number;
  readonly deleted: number;
  /** How often changes may have been missed, and why the last time. */
  readonly gaps: number;
  readonly lastGap: string | null;
  /** Keys that are not as they should be on the target at the moment. */
  readonly findings: number;
  readonly trouble: string | null;
  /** Generations that may have left temporary keys on the target. */
  readonly builders: readonly number[];
  readonly clockDoubtMs: number;
  /** What a cut-over waits for at the moment; null where none is under way. */
  readonly step: CutoverStep | null;
  /** Since when the source stands still, where a cut-over has seen it, ISO 8601. */
  readonly quietSince: string | null;
  readonly proof: Proof | null;
  /** Who wrote when a cut-over looked last; null before it has. */
  readonly writers: Writers | null;
  /** Up to which of its marks a reader that stands by may forget what it heard: that is applied. */
  readonly acknowledged: { readonly holder: string; readonly mark: number } | null;
  /** How often one that stood by has taken this place without a gap. */
  readonly takeovers: number;
  readonly etag: string;
}

/** A reader that stands by, as the ledger has it: written by its holder alone, always whole. */
export interface StandbyRow {
  readonly migration: string;
  /** Empty once it has left. */
  readonly holder: string;
  readonly heartbeat: string;
  /** Grows with each writing: what was heard before it was changed before it. */
  readonly mark: number;
  /** The session that it could go on with; empty while there is none. */
  readonly covers: string;
  readonly trouble: string | null;
  readonly etag: string;
}

/** What a verdict is given by while a source is followed. */
export interface LiveFacts {
  /** Empty while nobody listens. */
  readonly session: string;
  /** In which session the last pass over the source began. */
  readonly passSession: string;
  /** All that changed while the last pass was under way has been applied once more. */
  readonly settled: boolean;
  readonly cutoverRequested: boolean;
  /** The source stands still, and all that it changed is on the target. */
  readonly proved: boolean;
  /** Keys that are not as they should be on the target. */
  readonly findings: number;
  /** Whoever follows may be writing to the target. */
  readonly works: boolean;
}

/**
 * What a row says for a verdict.
 * @param source what the source tells now, and not before the row was read; undefined where it does not answer
 * @param works it gave a sign not long ago
 */
export function liveFactsOf(
  { course, cutoverRequestedAt }: Pick<MigrationRow, 'course' | 'cutoverRequestedAt'>,
  row: LiveRow | undefined,
  source: Mark | undefined,
  works: boolean,
): LiveFacts {
  const session = works && row !== undefined && isHeld(row) ? row.session : '';
  const isOfPass = session !== '' && session === course.session && row?.settled === true;
  return {
    session,
    passSession: course.session,
    settled: isOfPass,
    cutoverRequested: cutoverRequestedAt !== null,
    proved: isOfPass && row.proof !== null && source !== undefined && standsStill(row.proof.source, source),
    findings: row?.findings ?? 0,
    works: session !== '',
  };
}

/** Whether somebody follows, as far as a row tells: who leaves says so, and leaves its session to one that stands by. */
export function isHeld({ holder }: Pick<LiveRow, 'holder'>): boolean {
  return holder !== '';
}

/** Whether a second reader stands by. */
export function wantsStandby({ request: { live } }: Pick<Plan, 'request'>): boolean {
  return live?.standby ?? true;
}

/** How a migration whose source is followed stands. */
export const liveReportSchema = z.object({
  phase: z
    .string()
    .describe(
      'listen: until all changes are told. copy: a pass over all keys. extra: over those of the target. settle: what changed meanwhile is applied once more. live: in step. cutover: the proof. look: a last look.',
    ),
  feed: z.enum(feedKinds).nullable().describe('How the source tells which keys change.'),
  listening: z.boolean().describe('Every change is told at the moment.'),
  lagMs: amount.describe(
    'For how long the oldest change that is not on the target has waited. What may have been missed, or is not told yet, waits since all was told last.',
  ),
  waiting: amount.describe('Changed keys that are to be applied.'),
  kept: amount.describe('Keys that are applied once more when the pass has ended.'),
  written: amount,
  deleted: amount.describe('At least: what a reader did last before it was cut off or killed may not be counted.'),
  findings: amount.describe('Changed keys that are not as they should be on the target.'),
  gaps: amount.describe('How often changes may have been missed. Each is repaired by a pass.'),
  lastGap: z.string().nullable(),
  takeovers: amount.describe('How often the reader that stands by went on in the place of the other, without a gap.'),
  standby: z
    .object({
      covers: z.boolean().describe('It could go on at the moment without a gap.'),
      trouble: z.string().nullable(),
    })
    .nullable()
    .describe('The second reader; null while there is none.'),
  repaired: z.boolean().describe('A pass has been made since the last gap.'),
  notReady: z.string().nullable().describe('Why a cut-over would be refused now; null where it would not.'),
  cutover: z
    .object({
      requestedAt: isoTime,
      step: z
        .enum(cutoverSteps)
        .nullable()
        .describe(
          'quiet: waits until nothing is written to the source for two seconds. drain: what it told is applied. streams: those with groups are copied again. proved: all that the source has is on the target, as long as nothing is written to it.',
        ),
      quietSince: isoTime.nullable(),
      proof: z
        .object({
          quietSince: isoTime,
          at: isoTime,
          barrierMs: amount.describe('What the source took to say that it had told everything.'),
          names: amount.describe('Changed keys that were left when it stood still.'),
          drainMs: amount.describe('What it took until all was proved.'),
          streams: amount.describe('Streams with groups that were copied again.'),
        })
        .nullable(),
      writers: z
        .object({
          at: isoTime.describe('When the source was asked last. It is not any more once it stands still.'),
          untold: z.boolean().describe('The user of the source may not run CLIENT LIST.'),
          clients: amount.describe('Clients of the source, without those of Keyferry.'),
          writing: amount.describe('How many of them had written in the ten seconds before, or may have.'),
          latest: z
            .array(
              z.object({
                name: z.string().describe('As the client calls itself; empty where it does not.'),
                address: z
                  .string()
                  .describe('As the source sees it: behind a proxy or a gateway, the address of that.'),
                database: amount,
                command: z.string().describe('Its last command that may change keys.'),
                secondsAgo: amount,
              }),
            )
            .describe('Those that wrote last, at most 20.'),
        })
        .nullable()
        .describe('Who still writes to the source.'),
      wayBack: z
        .object({
          state: z
            .enum(wayBackStates)
            .describe(
              'waiting: for the verdict. starting: as soon as both sides answer and nothing else writes to the old one. started. refused: it will not be.',
            ),
          migration: z.string().nullable().describe('Its id; null until the cut-over is completed and it is started.'),
          refused: z.string().nullable().describe('Why it was not started.'),
          trouble: z.string().nullable().describe('What keeps it from being started at the moment: it is tried again.'),
        })
        .nullable()
        .describe('Asked for by "reverse": a live migration from the new side to the old one.'),
    })
    .nullable()
    .describe('null until a cut-over is asked for.'),
});

export type LiveReport = DocumentOf<typeof liveReportSchema>;

/**
 * What is told of a migration whose source is followed; undefined of all others.
 * @param works who follows gave a sign not long ago
 * @param now ms since 1970, by the storage's clock
 */
export function makeLiveReport(
  migration: MigrationRow,
  row: LiveRow | undefined,
  works: boolean,
  now: number,
  standby?: StandbyRow,
): LiveReport | undefined {
  if (!isFollowed(migration.plan)) return undefined;
  const { phase, course, cutoverRequestedAt } = migration;
  const listening = works && row !== undefined && isHeld(row) && row.session !== '';
  // Who has left listens no more, and has missed nothing that counts.
  const repaired = row?.settled === true && (isFinal(migration) || (listening && row.session === course.session));
  const { proof = null } = row ?? {};
  return {
    phase,
    feed: row?.feed ?? null,
    listening,
    lagMs: row === undefined ? 0 : lagOf(row, works || isFinal(migration), now),
    waiting: row?.waiting ?? 0,
    kept: row?.kept ?? 0,
    written: row?.written ?? 0,
    deleted: row?.deleted ?? 0,
    findings: row?.findings ?? 0,
    gaps: row?.gaps ?? 0,
    lastGap: row?.lastGap ?? null,
    takeovers: row?.takeovers ?? 0,
    standby:
      standby === undefined || standby.holder === '' || isFinal(migration)
        ? null
        : { covers: standby.covers !== '' && standby.covers === row?.session, trouble: standby.trouble },
    repaired,
    notReady: notReady(migration, row, listening, repaired),
    cutover:
      cutoverRequestedAt === null
        ? null
        : {
            requestedAt: cutoverRequestedAt,
            step: row?.step ?? null,
            quietSince: row?.quietSince ?? null,
            proof: proof && {
              quietSince: proof.quietSince,
              at: proof.at,
              barrierMs: proof.barrierMs,
              names: proof.names,
              drainMs: proof.drainMs,
              streams: proof.streams,
            },
            writers: row?.writers ?? null,
            wayBack: migration.wayBack === undefined ? null : wayBackReport(migration.wayBack, isFinal(migration)),
          },
  };
}

function wayBackReport(wayBack: WayBack, ended: boolean) {
  const { migration, refused, trouble } = wayBack;
  return { state: wayBackState(wayBack, ended), migration, refused, trouble };
}

const LAG_MS = 5_000;

function notReady(
  migration: MigrationRow,
  row: LiveRow | undefined,
  listening: boolean,
  repaired: boolean,
): string | null {
  const { plan } = migration;
  if (isFinal(migration) || migration.cancelRequested) return 'The migration has ended, or is about to.';
  if (row === undefined || !listening) return `Nobody is told of changes at the moment. ${row?.trouble ?? ''}`.trim();
  if (!repaired || !['asked', 'proved'].includes(stationOf(migration) ?? '')) {
    return row.gaps === 0
      ? 'The first copy is not complete yet.'
      : `The pass that repairs a gap is not complete yet. ${row.lastGap ?? ''}`.trim();
  }
  const most = plan.request.live?.cutoverLagMs ?? LAG_MS;
  if (row.lagMs <= most) return null;
  return `The oldest change that is not on the target is ${Math.round(row.lagMs / 1_000)} s old, and may be ${most / 1_000} s. ${row.trouble ?? ''}`.trim();
}

/**
 * For how long the oldest change that is not on the target has waited at least, ms: what is changed while nobody follows waits, too.
 * @param now ms since 1970, by the storage's clock
 */
export function lagOf({ lagMs, heartbeat }: LiveRow, works: boolean, now: number): number {
  return works ? lagMs : lagMs + Math.max(0, now - Date.parse(heartbeat));
}

type Moving = Pick<
  LiveRow,
  'session' | 'settled' | 'written' | 'deleted' | 'step' | 'waiting' | 'trouble' | 'heartbeat'
>;

/** How far the following is: another text says that something was done. One that has nothing to do, and nothing that holds it up, moves with every sign. */
export function movedBy({ session, settled, written, deleted, step, waiting, trouble, heartbeat }: Moving): string {
  const isIdle = session !== '' && waiting === 0 && trouble === null;
  return [session, settled, written, deleted, step, isIdle ? heartbeat : ''].join(' ');
}
