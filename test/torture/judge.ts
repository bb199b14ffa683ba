import type { MigrationReport } from '../../src/migration/report';
import type { KeyId, SideName } from './journal';
import type { Request } from './scenario';
import { Scope } from './scope';
import type { KeyFacts, Snapshot } from './snapshot';

/** What can be wrong. */
export type ViolationKind =
  /** `completed`, and keys that nobody touched are missing on the target or differ there. */
  | 'untrue-completed'
  /** `completed`, although the source lost keys that it had at the start. */
  | 'completed-though-source-lost'
  /** The report's number of missing keys is lower than it is. */
  | 'missing-too-low'
  /** A comparison says that keys differ that do not. */
  | 'false-difference'
  /** A comparison that found some of the differences, and not others. */
  | 'difference-not-found'
  /** `completed` with deleteExtra, and keys remain that the source does not have. */
  | 'extra-left'
  /** Keys counted as conflicts that the target did not have before. */
  | 'false-conflicts'
  /** A large key arrived as a mixture of what it was at two times, and nothing says so. */
  | 'torn-key'
  /** A key of the target is gone or changed that the migration had no business with. */
  | 'target-harmed'
  /** A key that both sides had is gone from the target. */
  | 'target-key-gone'
  /** More keys deleted than there were extra ones. */
  | 'deleted-too-many'
  /** A key of the target is neither what it was nor what the source has. */
  | 'target-key-spoilt'
  /** The source is not as it was. */
  | 'source-harmed'
  /** A server's process, or the app's, ended by itself. */
  | 'process-ended'
  /** Keys of ours are left on a server. */
  | 'keys-left'
  /** It did not end. */
  | 'stands-still'
  /** It did not end well, and nothing says why. */
  | 'unexplained'
  /** Nothing befell it, and it did not end as it should. */
  | 'false-alarm'
  /** Two migrations may write into one target. */
  | 'two-writers'
  /** The source was written to, keys of it are not on the target as they are, and nothing says so. */
  | 'writers-untold';

export interface Violation {
  readonly kind: ViolationKind;
  readonly detail: string;
  /** How many keys it is about, and the first of them. */
  readonly count: number;
  readonly keys: readonly KeyId[];
}

/** Everything that is known about a migration from outside, after its end. Times in ms since 1970. */
export interface Evidence {
  readonly request: Request;
  /** No fault and no writer befell it. */
  readonly quiet: boolean;
  readonly before: Readonly<Record<SideName, Snapshot>>;
  readonly after: Readonly<Record<SideName, Snapshot>>;
  /** Keys that others wrote, by their side. */
  readonly touched: Readonly<Record<SideName, ReadonlySet<KeyId>>>;
  /** What made a side lose keys, and when that was over. */
  readonly losses: readonly { readonly side: SideName; readonly to: number }[];
  /** Whose processes ended by themselves. */
  readonly ended: readonly (SideName | 'app')[];
  /** Keys of ours that are left, each as "source 0:name". */
  readonly leftovers: readonly string[];
  /** Keys of the source that are mixtures on the target. */
  readonly torn: readonly KeyId[];
  /** undefined where it did not end in time; null where the app knows nothing of it. */
  readonly report: MigrationReport | null | undefined;
  /** All findings, or the first thousands. */
  readonly findings: readonly { readonly id: KeyId; readonly code: string }[];
  readonly findingsAreAll: boolean;
  /** The target is older than the source, so that it cannot hold everything of it. */
  readonly olderTarget: boolean;
  /** It was cancelled and started anew: an earlier one has copied keys. */
  readonly startedAnew: boolean;
  /** A second migration was let in to the same target. */
  readonly intruded: boolean;
  /** When the servers were read for `after`. */
  readonly readAt: number;
}

/** How far expiries may differ, in ms, beside the accuracy of looking. */
const expiryTolerance = 120;
/** What is lost so short before the verdict cannot be known to it. */
const grace = 3_000;
/** Keys that expire so soon after the look may be gone on one side already. */
const soon = 3_000;

/** What older servers cannot hold, told by findings. */
const lostWithAge = new Set(['lost-stream-facts']);

/** Holds what a migration says against what is so. Pure. */
export function judge(evidence: Evidence): Violation[] {
  return new Judge(evidence).all();
}

class Judge {
  private readonly found: Violation[] = [];
  private readonly scope: Scope;
  private readonly writes: boolean;
  /** Keys of the source in the migration's scope that nobody touched on either side and that do not expire. */
  private readonly still: { readonly id: KeyId; readonly place: KeyId; readonly facts: KeyFacts }[] = [];
  /** Of them, those that the source no longer has. */
  private readonly lost = new Set<KeyId>();

  constructor(private readonly e: Evidence) {
    this.scope = new Scope(e.request);
    this.writes = e.request.mode === 'copy' || e.request.mode === 'sync';
    for (const [id, facts] of e.before.source) {
      const place = this.scope.placeOf(id);
      if (place === undefined || e.touched.source.has(id) || e.touched.target.has(place)) continue;
      if (this.fleeting(facts) || this.fleeting(e.before.target.get(place))) continue;
      this.still.push({ id, place, facts });
      if (!same(e.after.source.get(id), facts)) this.lost.add(id);
    }
  }

  all(): Violation[] {
    const { e } = this;
    if (e.intruded) this.report('two-writers', 'A second migration into the same target was let in.');
    for (const whose of e.ended) this.report('process-ended', `The ${whose}'s process ended.`);
    this.sourceHarmed();
    this.targetHarmed();
    if (e.report === undefined) this.report('stands-still', 'It did not end.');
    else if (e.report !== null) this.verdict(e.report);
    // One that stands still may still be building.
    if (e.report !== undefined && e.leftovers.length > 0) {
      this.report('keys-left', `${e.leftovers.length} keys of ours are left.`, e.leftovers);
    }
    return this.found;
  }

  private verdict(report: MigrationReport): void {
    const { e } = this;
    const completed = report.state === 'completed';
    const wellEnded = completed || report.state === 'completedWithDifferences';
    this.explained(report);
    if (e.quiet) this.asExpected(report);
    if (e.request.mode === 'compare' && wellEnded) this.comparison(report);
    if (this.writes && wellEnded) {
      this.numbers(report);
      this.tornKeys();
    }
    if (!completed) return;
    if (e.request.mode !== 'dry-run') this.isComplete(report);
    if (this.writes) this.writersTold(report);
  }

  /** What `completed` says is so. */
  private isComplete(report: MigrationReport): void {
    const { request } = this.e;
    if (this.lost.size > 0 && !this.lateLoss('source', report)) {
      const there = this.still.filter((key) => this.lost.has(key.id) && !this.isWrong(key));
      this.report(
        'completed-though-source-lost',
        `The source lost ${this.lost.size} of ${this.still.length} keys; the target has ${there.length} of them.`,
        [...this.lost],
      );
    }
    if (this.lateLoss('target', report)) return;
    const wrong = this.wrongKeys();
    const missing = wrong.filter(({ place }) => !this.e.after.target.has(place)).length;
    if (wrong.length > 0) {
      const detail = `${missing} keys are missing and ${wrong.length - missing} differ, of ${this.still.length} that nobody touched.`;
      this.report(
        'untrue-completed',
        detail,
        wrong.map(({ id }) => id),
      );
    }
    if (request.deleteExtra || request.mode === 'compare') {
      const extra = this.extraKeys();
      const kind = request.deleteExtra ? 'extra-left' : 'untrue-completed';
      if (extra.length > 0) this.report(kind, `${extra.length} keys are only on the target.`, extra);
    }
  }

  /** What the numbers of the report say is so. */
  private numbers({ tally, counts, ...report }: MigrationReport): void {
    const { before, request, touched, startedAnew } = this.e;
    if (tally.missing !== null && !this.lateLoss('target', report)) {
      const missing = this.still.filter(({ id, place }) => !this.lost.has(id) && !this.e.after.target.has(place));
      // A key that failed is told as that.
      if (missing.length > tally.missing + counts.failed) {
        this.report(
          'missing-too-low',
          `${tally.missing} are said to be missing and ${counts.failed} to have failed; ${missing.length} are missing, of those that nobody touched.`,
          missing.map(({ id }) => id),
        );
      }
    }
    const known = [...before.target.keys()].filter((place) => this.scope.originOf(place) !== undefined).length;
    const most = known + touched.target.size;
    if (request.onConflict === 'skip' && !startedAnew && counts.skippedByConflict > most) {
      const detail = `${counts.skippedByConflict} keys are counted as conflicts; the target had ${known}.`;
      this.report('false-conflicts', detail);
    }
    // What a target deletes and has again after a crash is deleted twice.
    if (request.deleteExtra && !this.e.losses.some(({ side }) => side === 'target')) {
      const possible = [...before.target.keys(), ...touched.target].filter((place) => {
        const origin = this.scope.originOf(place);
        return origin !== undefined && !before.source.has(origin);
      });
      // What writers created and deleted on the source may have been copied in between, and what expires may be extra for a while.
      const others = touched.source.size + [...before.source.values()].filter((facts) => this.fleeting(facts)).length;
      if (counts.deleted > possible.length + others) {
        const detail = `${counts.deleted} keys were deleted; at most ${possible.length + others} were extra.`;
        this.report('deleted-too-many', detail);
      }
    }
  }

  private tornKeys(): void {
    const told = new Set(this.e.findings.map(({ id }) => id));
    const untold = this.e.torn.filter((id) => !told.has(id));
    if (untold.length > 0) this.report('torn-key', 'Mixtures of two values, without a finding.', untold);
  }

  /** A comparison's findings are the differences that there are. */
  private comparison(report: MigrationReport): void {
    const { e } = this;
    if (e.losses.length > 0 || !e.findingsAreAll) return;
    const found = new Set(e.findings.map(({ id }) => id));
    const differing = new Set([...this.wrongKeys().map(({ id }) => id), ...this.extraKeys()]);
    const equal = new Set(this.still.filter(({ id }) => !differing.has(id)).map(({ id }) => id));
    const clearly = this.still.filter(({ id, place }) => equal.has(id) && this.clearlyEqual(id, place));
    const invented = clearly.filter(({ id }) => found.has(id)).map(({ id }) => id);
    if (invented.length > 0) this.report('false-difference', 'Findings of keys that are equal.', invented);
    const overlooked = [...differing].filter((id) => !found.has(id));
    // Where all were overlooked and it says completed, that is told as what it is.
    if (overlooked.length > 0 && report.state !== 'completed') {
      this.report('difference-not-found', 'Keys that differ and have no finding.', overlooked);
    }
  }

  private asExpected(report: MigrationReport): void {
    const { mode, verify, onConflict } = this.e.request;
    const compares = verify === 'quick' || verify === 'full';
    const differs =
      mode === 'compare'
        ? this.wrongKeys().length > 0 || this.extraKeys().length > 0
        : // Keys of the target that were skipped are compared like all others.
          onConflict === 'skip' && compares && report.counts.skippedByConflict > 0 && report.counts.different > 0;
    const expected = differs ? 'completedWithDifferences' : 'completed';
    const codes = [...new Set(this.e.findings.map(({ code }) => code))];
    const asGood = this.e.olderTarget && codes.every((code) => lostWithAge.has(code));
    if (report.state !== expected && !(asGood && report.state === 'completedWithDifferences')) {
      const why = [report.cause, ...report.warnings].filter(Boolean).join(' ');
      this.report('false-alarm', `${report.state} instead of ${expected}. ${why} ${codes.join(', ')}`.trim());
    }
  }

  private explained({ state, cause, findings, warnings }: MigrationReport): void {
    const told = cause !== null || findings > 0 || warnings.length > 0;
    if ((state === 'failed' && cause === null) || (state === 'completedWithDifferences' && !told)) {
      this.report('unexplained', `${state} without a cause, a finding or a warning.`);
    }
  }

  private writersTold(report: MigrationReport): void {
    const { after, touched } = this.e;
    if (report.warnings.length > 0 || report.findings > 0 || this.lateLoss('target', report)) return;
    const behind = [...touched.source].filter((id) => {
      const place = this.scope.placeOf(id);
      const facts = after.source.get(id);
      if (place === undefined || touched.target.has(place) || this.fleeting(facts)) return false;
      if (this.e.request.onConflict === 'skip' && this.e.before.target.has(place)) return false;
      return facts !== undefined && !same(after.target.get(place), facts);
    });
    if (behind.length > 0) this.report('writers-untold', 'Keys changed behind the walk, without a warning.', behind);
  }

  private sourceHarmed(): void {
    const { before, after, touched, losses } = this.e;
    if (losses.some(({ side }) => side === 'source')) return;
    const changed = [...before.source].filter(
      ([id, facts]) => !touched.source.has(id) && !this.fleeting(facts) && !same(after.source.get(id), facts),
    );
    const added = [...after.source.keys()].filter(
      (id) => !touched.source.has(id) && !before.source.has(id) && !isOurs(id),
    );
    const keys = [...changed.map(([id]) => id), ...added];
    if (keys.length > 0) this.report('source-harmed', `${changed.length} changed, ${added.length} new.`, keys);
  }

  private targetHarmed(): void {
    const { before, after, touched, losses } = this.e;
    const excused = losses.some(({ side }) => side === 'target');
    const harmed: KeyId[] = [];
    const gone: KeyId[] = [];
    const spoilt: KeyId[] = [];
    for (const [place, facts] of before.target) {
      if (touched.target.has(place) || this.fleeting(facts)) continue;
      const now = after.target.get(place);
      if (same(now, facts) || (now === undefined && excused)) continue;
      const origin = this.businessWith(place);
      if (origin === undefined) harmed.push(place);
      else if (touched.source.has(origin)) continue;
      else if (!before.source.has(origin)) {
        // An extra key: it may be deleted where that is asked for, and nothing else.
        if (now !== undefined || !this.e.request.deleteExtra) harmed.push(place);
      } else if (this.fleeting(before.source.get(origin))) continue;
      else if (now === undefined) gone.push(place);
      // Replicas before 6.2 are not told of consumers that have nothing pending: a failover loses them.
      else if (now.type === 'stream' && (excused || this.e.olderTarget)) continue;
      else if (!this.isOfSource(origin, now)) spoilt.push(place);
      else if (this.e.request.onConflict === 'skip' && !excused) harmed.push(place);
    }
    for (const [place, now] of after.target) {
      if (before.target.has(place) || touched.target.has(place) || isOurs(place) || this.fleeting(now)) continue;
      const origin = this.businessWith(place);
      if (origin !== undefined && touched.source.has(origin)) continue;
      if (origin === undefined || !before.source.has(origin)) harmed.push(place);
      // As above: a restart from the log of commands is like a replica.
      else if (now.type === 'stream' && (excused || this.e.olderTarget)) continue;
      else if (!this.isOfSource(origin, now)) spoilt.push(place);
    }
    if (harmed.length > 0) this.report('target-harmed', 'Keys that are none of its business.', harmed);
    if (gone.length > 0) this.report('target-key-gone', 'Keys that the source had at the start, too.', gone);
    if (spoilt.length > 0) this.report('target-key-spoilt', 'Neither what it was nor what the source has.', spoilt);
  }

  /** The key of the source that belongs there, where the migration may write there. */
  private businessWith(place: KeyId): KeyId | undefined {
    return this.writes ? this.scope.originOf(place) : undefined;
  }

  private isOfSource(origin: KeyId, facts: KeyFacts): boolean {
    return same(this.e.before.source.get(origin), facts) || same(this.e.after.source.get(origin), facts);
  }

  /** Keys that nobody touched and that the target does not have as it should. */
  private wrongKeys(): { readonly id: KeyId; readonly place: KeyId }[] {
    return this.still.filter((key) => !this.lost.has(key.id) && this.isWrong(key));
  }

  private isWrong(key: { readonly place: KeyId; readonly facts: KeyFacts }): boolean {
    const { request, before, after, losses } = this.e;
    const [old, now] = [before.target.get(key.place), after.target.get(key.place)];
    if (request.mode === 'compare' && request.verify === 'quick') return !alike(now, key.facts);
    if (same(now, key.facts)) {
      // A key that was skipped may come from the source only where the target lost its own.
      return request.onConflict === 'skip' && old !== undefined && !same(old, now) && losses.length === 0;
    }
    return !(request.onConflict === 'skip' && old !== undefined && same(now, old));
  }

  /** Keys of the target in the migration's scope that the source has not and had not, and that nobody touched. */
  private extraKeys(): KeyId[] {
    const { before, after, touched } = this.e;
    return [...after.target].flatMap(([place, facts]) => {
      const origin = this.scope.originOf(place);
      if (origin === undefined || touched.target.has(place) || touched.source.has(origin)) return [];
      if (this.fleeting(facts) || isOurs(place)) return [];
      return before.source.has(origin) || after.source.has(origin) ? [] : [place];
    });
  }

  private clearlyEqual(id: KeyId, place: KeyId): boolean {
    const [one, other] = [this.e.after.source.get(id), this.e.after.target.get(place)];
    if (one === undefined || other === undefined) return false;
    return one.digest === other.digest && Math.abs((one.expiresAt ?? 0) - (other.expiresAt ?? 0)) < 20;
  }

  private fleeting(facts: KeyFacts | undefined): boolean {
    return (facts?.expiresAt ?? Infinity) < this.e.readAt + soon;
  }

  /** Whether a side lost keys when the verdict had been made up already, or almost. */
  private lateLoss(side: SideName, { finishedAt }: Pick<MigrationReport, 'finishedAt'>): boolean {
    const end = finishedAt === null ? Infinity : Date.parse(finishedAt);
    return this.e.losses.some((loss) => loss.side === side && loss.to > end - grace);
  }

  private report(kind: ViolationKind, detail: string, keys: readonly KeyId[] = []): void {
    this.found.push({ kind, detail, count: keys.length, keys: keys.slice(0, 20) });
  }
}

/** Whether both are there and equal in value and expiry. */
export function same(one: KeyFacts | undefined, other: KeyFacts | undefined): boolean {
  return one !== undefined && alike(one, other) && one.digest === other?.digest;
}

/** Equal as far as a quick look goes: type, length and expiry. */
function alike(one: KeyFacts | undefined, other: KeyFacts | undefined): boolean {
  if (one === undefined || other === undefined) return false;
  if (one.type !== other.type || one.length !== other.length) return false;
  if (one.expiresAt === null || other.expiresAt === null) return one.expiresAt === other.expiresAt;
  return Math.abs(one.expiresAt - other.expiresAt) <= expiryTolerance + one.within + other.within;
}

/** A key of ours, which is told as such. */
function isOurs(id: KeyId): boolean {
  return /^\d+:keyferry:/.test(id);
}
