import type { CutoverStep, Proof } from '../migration/live';
import { markOf, standsStill, type Mark } from '../migration/since';
import { groupCallsOf } from './blind-spots';
import type { Look, Session } from './source-feed';

/** What a cut-over asks of whoever follows the source. */
export interface Following {
  /** By the storage's clock, ISO 8601. */
  now(): string;
  /** Everything that was changed before is told when it resolves. Throws where that cannot be said. */
  barrier(): Promise<void>;
  /** What was told up to now. */
  mark(): ReadonlyMap<number, number>;
  isAppliedUpTo(mark: ReadonlyMap<number, number>): boolean;
  waiting(): number;
  /** Whether nothing is on its way to the target. Nothing new goes there while the cut-over holds. */
  isResting(): boolean;
  /** Has streams with groups copied again, and tells how many those are. */
  noteStreams(): Promise<number>;
  /** Looks who writes to the source: it does not stand still yet. */
  lookForWriters(): Promise<void>;
}

/** How a cut-over stands. */
export interface Stand {
  readonly step: CutoverStep | null;
  readonly quietSince: string | null;
  readonly proof: Proof | null;
}

/** For so long a source must stand still, ms: writers that pause are still writers. */
const QUIET_MS = 2_000;

const CUT_OFF =
  'The source is a replica that has nothing from its master at the moment (master_link_status: down): whether all is there that was written is not known.';

const NONE: Stand = { step: null, quietSince: null, proof: null };

/**
 * Proves, step by step, that all that a source has is on the target: it stands still; its feed has told everything, and all that it
 * told is applied; streams whose groups were changed, which no feed tells, are copied again; and after that it still stands as it did. A
 * write at any time begins it anew.
 */
export class CutOver {
  private quiet: { readonly mark: Mark; readonly since: number; readonly at: string } | undefined;
  private drain:
    | { readonly mark: ReadonlyMap<number, number>; readonly began: number; readonly names: number; barrierMs: number }
    | undefined;
  private streams = 0;
  /** Changes of groups that were there when all streams with groups were copied last. */
  private groupCalls: number | undefined;
  private looked: Session | undefined;
  private lookedIn: object | undefined;
  private isHolding = false;
  private current: Stand = NONE;

  constructor(private readonly following: Following) {}

  get stand(): Stand {
    return this.current;
  }

  /** Names are applied without rests meanwhile, and it goes on soon. */
  get isUnderWay(): boolean {
    return this.current.step === 'drain' || this.current.step === 'streams';
  }

  /**
   * All that was changed before the source was quiet is applied, and nothing more may be: what is on its way when the proof is told could
   * come after the verdict, when others write to the target.
   */
  get holds(): boolean {
    return this.isHolding;
  }

  reset(): void {
    this.quiet = undefined;
    this.drain = undefined;
    this.isHolding = false;
    this.current = NONE;
  }

  /** Goes on as far as it can now. Throws what the feed or a side throws: nothing is proved then. */
  async step(session: Session, look: () => Promise<Look>): Promise<void> {
    try {
      await this.goOn(session, look);
    } catch (error) {
      this.reset();
      throw error;
    }
  }

  private async goOn(session: Session, look: () => Promise<Look>): Promise<void> {
    const { source } = await look();
    if (source.masterLinkDown === true) throw new Error(CUT_OFF);
    const mark = markOf(source);
    if (this.quiet === undefined || !standsStill(this.quiet.mark, mark)) {
      this.quiet = { mark, since: performance.now(), at: this.following.now() };
      this.drain = undefined;
      this.isHolding = false;
    }
    const { quiet } = this;
    this.current = { step: 'quiet', quietSince: quiet.at, proof: this.drain === undefined ? null : this.current.proof };
    if (performance.now() - quiet.since < QUIET_MS) {
      await this.following.lookForWriters();
      return;
    }
    if (this.current.proof !== null) {
      this.current = { ...this.current, step: 'proved' };
      return;
    }
    if (this.drain === undefined) {
      const began = performance.now();
      await this.following.barrier();
      const names = this.following.waiting();
      this.drain = { mark: this.following.mark(), began, names, barrierMs: performance.now() - began };
    }
    this.current = { ...this.current, step: 'drain' };
    if (!this.following.isAppliedUpTo(this.drain.mark)) return;
    const groupCalls = groupCallsOf(source);
    if (this.looked !== session) {
      this.groupCalls = session.groupCalls;
      this.lookedIn = undefined;
      this.streams = 0;
      this.looked = session;
    }
    // Of a server that does not tell they are looked for once in a stillness.
    if (groupCalls === undefined ? this.lookedIn !== quiet : groupCalls !== this.groupCalls) {
      this.current = { ...this.current, step: 'streams' };
      this.streams = await this.following.noteStreams();
      this.groupCalls = groupCalls;
      this.lookedIn = quiet;
      this.drain = { ...this.drain, mark: this.following.mark() };
      if (!this.following.isAppliedUpTo(this.drain.mark)) return;
    }
    await this.prove(quiet, this.drain, look);
  }

  private async prove(
    quiet: NonNullable<typeof this.quiet>,
    drain: NonNullable<typeof this.drain>,
    look: () => Promise<Look>,
  ): Promise<void> {
    // What was told since the source stands still are expiries, which the target knows by itself.
    this.isHolding = true;
    if (!this.following.isResting()) return;
    // There was no gap meanwhile.
    await this.following.barrier();
    const { source } = await look();
    if (!standsStill(quiet.mark, markOf(source))) return;
    const proof: Proof = {
      source: quiet.mark,
      quietSince: quiet.at,
      at: this.following.now(),
      barrierMs: Math.round(drain.barrierMs),
      names: drain.names,
      drainMs: Math.round(performance.now() - drain.began),
      streams: this.streams,
    };
    this.current = { step: 'proved', quietSince: quiet.at, proof };
  }
}
