import { inParallel } from '../basics/in-parallel';
import { Turns } from '../basics/turns';
import type { Names } from '../convert/names';
import type { KeyFinding } from '../migration/rows';
import { pause, SourceChangedError, StoppedError, type StopSignal } from '../migration/stop';
import { isRedisError, isTooLong, RedisError } from '../redis/errors';
import type { RedisPort } from '../redis/redis-port';
import { backOff } from './attempt';
import {
  copyKeyByCommands,
  type CommandCopyOptions,
  type CommandCopyOutcome,
  type Loss,
  type PlaceKeeper,
} from './by-commands';
import type { Hindrance } from './hindrance';
import type { Written } from './redis-sink';
import type { Attempt, Side } from './side';

/** How many keys of one part are copied at the same time. */
const KEYS_AT_ONCE = 8;

/** What the copy by commands tells of a key, or the error reply that concerns this key alone. */
type KeyOutcome =
  | (CommandCopyOutcome & { readonly isPresumed?: true })
  | { readonly kind: 'failed'; readonly code: 'command-refused' | 'too-large'; readonly message: string }
  | { readonly kind: 'uncarried'; readonly code: 'command-refused'; readonly message: string }
  | { readonly kind: 'stopped'; readonly by: StoppedError; readonly perhapsWritten: boolean };

/** What is the same for all keys of a range. */
export interface CopierOptions extends Omit<
  CommandCopyOptions,
  'sourceKey' | 'targetKey' | 'scripts' | 'shouldStop' | 'place'
> {
  /** Where the copy of a key is. */
  readonly placeOf: (key: Buffer) => PlaceKeeper;
  /** Where keys cannot be read side by side (a packed file, which is unpacked from its beginning for each): one after the other. */
  readonly oneByOne?: boolean;
  /** Called when no more is asked about a key. */
  readonly release?: (key: Buffer) => void;
}

/** Copies over connections that nobody else uses. Throws `valueTooLong` or `replyTooLong` besides, where one is lost for what the copy does. */
export type CopyAlone = (
  copy: (source: RedisPort, target: RedisPort) => Promise<CommandCopyOutcome>,
) => Promise<CommandCopyOutcome>;

/** Where the work had to stop. */
export interface Stop {
  readonly by: StoppedError;
  /** The keys that it did not come to the end of. */
  readonly before: readonly Buffer[];
  /** Whether one of them may be on the target all the same: what the target said of it was lost. */
  readonly perhapsWritten?: boolean;
}

/** What became of keys. */
export type Copied = Written & {
  /** Of the keys that count as copied, those that the target had and that may have been there before. */
  readonly presumed: number;
  readonly stopped?: Stop;
  /** Neither copied nor counted: what no commands can carry, or none that the user may run, each with its finding. */
  readonly uncarried: readonly KeyFinding[];
};

/** Copies keys of one database by ordinary commands. */
export class CommandCopier {
  /**
   * @param before awaited before the first key: writes down that there are temporary keys from now on
   * @param attempt on both sides
   */
  constructor(
    private readonly sides: { readonly source: Side; readonly target: Side },
    private readonly names: Pick<Names, 'onTarget'>,
    private readonly options: CopierOptions,
    private readonly own: { countEqual(keys: readonly Buffer[]): Promise<number> },
    private readonly before: () => Promise<void>,
    private readonly attempt: Attempt,
    private readonly alone: CopyAlone,
    private readonly hindrance: Hindrance,
    private readonly stop: StopSignal,
  ) {}

  private readonly turn = new Turns(1);

  /** Copies keys, some at a time. @throws RedisError that will not pass, SourceChangedError, StoppedError when the range is lost */
  async copy(keys: readonly Buffer[]): Promise<Copied> {
    const counts = { copied: 0, expired: 0, failed: 0, bytes: 0 };
    const findings: KeyFinding[] = [];
    const taken: Buffer[] = [];
    const before: Buffer[] = [];
    const uncarried: KeyFinding[] = [];
    let presumed = 0;
    let by: StoppedError | undefined;
    let perhapsWritten = false;
    if (keys.length > 0) await this.before();
    const copyAll = (atOnce: number) => inParallel(keys, atOnce, (key) => this.copyAndRelease(key));
    // Several parts are in work at the same time.
    const outcomes = await (this.options.oneByOne === true
      ? this.turn.take(
          () => copyAll(1),
          () => {
            this.stop.check();
          },
        )
      : copyAll(KEYS_AT_ONCE));
    outcomes.forEach((outcome, i) => {
      const key = keys[i];
      if (key === undefined) return;
      if (outcome.kind === 'copied') {
        counts.copied++;
        counts.bytes += outcome.bytes;
        if (outcome.isPresumed === true) presumed++;
        // An idle time that begins anew is no difference in data; it is in the documentation.
        const losses = outcome.losses.filter(isToldLoss);
        const [first] = losses;
        if (first === undefined) return;
        findings.push({ key, code: `lost-${first.kind}`, message: losses.map(({ message }) => message).join(' ') });
      } else if (outcome.kind === 'expired') counts.expired++;
      else if (outcome.kind === 'conflict') taken.push(key);
      else if (outcome.kind === 'stopped') {
        before.push(key);
        ({ by } = outcome);
        perhapsWritten ||= outcome.perhapsWritten;
      } else if (outcome.kind === 'uncarried' || outcome.code === 'unsupported-type') {
        uncarried.push({ key, code: outcome.code, message: outcome.message });
      } else {
        counts.failed++;
        findings.push({ key, code: outcome.code, message: outcome.message });
      }
    });
    return { counts, findings, taken, uncarried, presumed, ...(by && { stopped: { by, before, perhapsWritten } }) };
  }

  private async copyAndRelease(key: Buffer): Promise<KeyOutcome> {
    try {
      return await this.copyKey(key);
    } finally {
      this.options.release?.(key);
    }
  }

  private async copyKey(sourceKey: Buffer): Promise<KeyOutcome> {
    const { source, target } = this.sides;
    const options: CommandCopyOptions = {
      ...this.options,
      sourceKey,
      targetKey: this.names.onTarget(sourceKey),
      scripts: { source: source.scripts, target: target.scripts },
      place: this.options.placeOf(sourceKey),
      shouldStop: () => mustStop(this.stop),
    };
    const losses = new Losses(options);
    let perhapsWritten = false;
    for (let tries = 0; ;) {
      try {
        const outcome = await this.attempt(() => {
          tries++;
          const { chunkBytes } = losses;
          const copy = (from: RedisPort, to: RedisPort) => copyKeyByCommands(from, to, { ...options, chunkBytes });
          const copied = losses.needsItsOwn ? this.alone(copy) : copy(source.port, target.port);
          return copied.catch((error: unknown) => {
            losses.note(error);
            perhapsWritten = true;
            throw error;
          });
        });
        // The connection may have been lost after the key had got its name.
        const isOwn = outcome.kind === 'conflict' && tries > 1 && (await this.own.countEqual([sourceKey])) === 1;
        if (isOwn) return { kind: 'copied', bytes: 0, losses: [], isPresumed: true };
        if (outcome.kind === 'failed' && outcome.code === 'stopped') this.stop.check();
        this.hindrance.over();
        return outcome;
      } catch (error) {
        if (error instanceof StoppedError && error.reason !== 'lost')
          return { kind: 'stopped', by: error, perhapsWritten };
        if (error instanceof StoppedError || error instanceof SourceChangedError || !(error instanceof Error))
          throw error;
        if (isTooLong(error) && !losses.areEnough) {
          await pause(backOff(tries), this.stop);
          continue;
        }
        // A right that is missing for one type is no reason to leave all others behind; the plan has warned of it.
        if (error instanceof RedisError && isRefusedCommand(error)) {
          return { kind: 'uncarried', code: 'command-refused', message: error.message };
        }
        if (!(error instanceof RedisError) || error.asks === 'key') {
          const code = isTooLong(error) ? 'too-large' : 'command-refused';
          return { kind: 'failed', code, message: error.message };
        }
        if (error.asks !== 'room') throw error;
        await this.hindrance.wait(error);
      }
    }
  }
}

/** Losses of the connection at one place of a key before it is copied on connections of its own. */
const LOSSES_TOGETHER = 2;
/** Losses of those, with ever smaller chunks, before the key is given up. */
const LOSSES_ALONE = 4;
const SMALLEST_CHUNK = 16_384;

/** Counts how often the copy of one key lost its connection at the same place. */
class Losses {
  private together = 0;
  private forCertain = 0;
  private place = '';
  chunkBytes: number;

  constructor(private readonly options: Pick<CommandCopyOptions, 'chunkBytes' | 'place'>) {
    ({ chunkBytes: this.chunkBytes } = options);
  }

  /** Somebody else's work may have been what the connection was lost for. */
  get needsItsOwn(): boolean {
    return this.forCertain > 0 || this.together >= LOSSES_TOGETHER;
  }

  get areEnough(): boolean {
    return this.forCertain >= LOSSES_ALONE;
  }

  note(error: unknown): void {
    const isCertain = isTooLong(error);
    if (!isCertain && !isRedisError(error, 'connectionLost')) return;
    const place = JSON.stringify(this.options.place?.get()?.build?.body ?? '');
    if (place !== this.place) this.together = this.forCertain = 0;
    this.place = place;
    if (!isCertain) this.together++;
    else {
      this.forCertain++;
      this.chunkBytes = Math.max(SMALLEST_CHUNK, Math.floor(this.chunkBytes / 4));
    }
  }
}

function isRefusedCommand(error: RedisError): boolean {
  return error.kind === 'noRight' || error.kind === 'unknownCommand';
}

function mustStop(stop: StopSignal): boolean {
  try {
    stop.check();
    return false;
  } catch {
    return true;
  }
}

type ToldLoss = Loss & { readonly kind: Exclude<Loss['kind'], 'consumer-times'> };

function isToldLoss(loss: Loss): loss is ToldLoss {
  return loss.kind !== 'consumer-times';
}
