import { createHash } from 'node:crypto';

import { tagForSlotOf } from '../../keyspace/hash-slot';
import type { TemporaryPlace } from './key-place';

/** How every temporary key begins. */
export const TEMPORARY_KEY_PREFIX = 'keyferry:temporary:';

/** How long a temporary key outlives its builder, in milliseconds; set anew with every write to it. */
export const TEMPORARY_KEY_LIFE_MS = 15 * 60_000;

/** How long one waits for whoever goes on with it, in milliseconds: its range's message may stand behind many others. */
export const TEMPORARY_KEY_HELD_MS = 6 * 3_600_000;

/** Who builds: the worker that holds a range in one generation. */
export interface Builder {
  readonly migration: string;
  readonly range: string;
  readonly generation: number;
}

/** What stands before and behind names, where the target's user may touch no others: latin1 text. */
export interface NameFrame {
  readonly before: string;
  readonly after: string;
}

const unframed: NameFrame = { before: '', after: '' };

/** A name that one builder has for one build. */
export interface TemporaryName {
  readonly name: Buffer;
  readonly place: TemporaryPlace;
  /** Names of the same key that earlier builds may have left on the target. */
  readonly leftovers: readonly Buffer[];
  /** Gives the name back. `gone`: the target said that nothing stands under it, and nothing sent to it is without a reply. */
  release(gone: boolean): void;
}

/** Names of a predecessor that are looked after: it builds a key under the first, unless an earlier build of it was cut. */
const LANES = 4;
/** Predecessors, and cut builds of one's own, that are looked after. What is beyond expires by itself. */
const MOST_LEFTOVERS = 16;

/**
 * The names under which one worker builds: migration, range, generation and lane, the key's hash, the tag of its slot. No two
 * builders share one (generations grow, and a worker's own builds of one key at the same time have lanes), and whoever goes on
 * with the range knows those of its predecessors.
 */
export class TemporaryNames {
  /** Lanes by the hash of their key: in use, or cut so that nobody knows what stands there. */
  private readonly lanes = new Map<string, Map<number, 'used' | 'cut'>>();
  private readonly builtSince: number;

  /**
   * @param predecessors generations that may have left temporary keys on the target
   * @param frame stands around each name
   */
  constructor(
    private readonly builder: Builder,
    private readonly predecessors: readonly number[],
    private readonly now: () => number = Date.now,
    private readonly frame: NameFrame = unframed,
  ) {
    this.builtSince = now();
  }

  /** A name that nobody writes to. */
  take(targetKey: Buffer): TemporaryName {
    const hash = hashOf(targetKey);
    const lanes = this.lanes.get(hash) ?? new Map<number, 'used' | 'cut'>();
    this.lanes.set(hash, lanes);
    let lane = 0;
    while (lanes.has(lane)) lane++;
    const cut = [...lanes].filter(([, state]) => state === 'cut').map(([each]) => each);
    const nameOf = (generation: number, at: number) => this.nameOf(targetKey, { generation, lane: at });
    lanes.set(lane, 'used');
    return {
      name: nameOf(this.builder.generation, lane),
      place: { generation: this.builder.generation, lane },
      leftovers: [
        ...this.standingPredecessors().flatMap((generation) =>
          Array.from({ length: LANES }, (_, at) => nameOf(generation, at)),
        ),
        ...cut.slice(-MOST_LEFTOVERS).map((each) => nameOf(this.builder.generation, each)),
      ],
      release: (gone) => {
        if (!gone) {
          lanes.set(lane, 'cut');
          return;
        }
        lanes.delete(lane);
        if (lanes.size === 0) this.lanes.delete(hash);
      },
    };
  }

  /** The name that a builder of the same range has, or had, for a key. */
  nameOf(targetKey: Buffer, { generation, lane }: TemporaryPlace): Buffer {
    return this.framed(nameFor({ ...this.builder, generation }, lane, hashOf(targetKey), tagForSlotOf(targetKey)));
  }

  private framed(name: Buffer): Buffer {
    const { before, after } = this.frame;
    return Buffer.concat([Buffer.from(before, 'latin1'), name, Buffer.from(after, 'latin1')]);
  }

  /** Whether nothing of this worker is on the target, as far as it was answered. */
  get areGone(): boolean {
    return this.lanes.size === 0;
  }

  /** What a predecessor wrote before this worker began has expired when its life is over. */
  private standingPredecessors(): readonly number[] {
    return this.now() - this.builtSince > TEMPORARY_KEY_HELD_MS ? [] : this.predecessors.slice(-MOST_LEFTOVERS);
  }
}

function hashOf(targetKey: Buffer): string {
  return createHash('sha256').update(targetKey).digest('hex').slice(0, 32);
}

/** The name of one build. `hash` tells keys of one tag apart. */
function nameFor({ migration, range, generation }: Builder, lane: number, hash: string, tag: Buffer): Buffer {
  const head = `${TEMPORARY_KEY_PREFIX}${migration}:${range}:${generation}-${lane}:${hash}:{`;
  return Buffer.concat([Buffer.from(head), tag, Buffer.from('}')]);
}

const prefix = Buffer.from(TEMPORARY_KEY_PREFIX);
const NAME =
  /^keyferry:temporary:(?:[0-9a-f]{16}|([A-Za-z0-9-]{1,100}):[a-z]{1,10}-\d{5,9}:\d{1,9}-\d{1,9}:[0-9a-f]{32}):\{[^}]+\}$/;

/** The migration that a temporary key is of: empty for those of versions before 1.0, undefined for all other keys. */
function migrationOf(key: Buffer, { before, after }: NameFrame): string | undefined {
  const start = before.length;
  const end = key.length - after.length;
  if (end - start <= prefix.length || !key.subarray(start, start + prefix.length).equals(prefix)) return undefined;
  const isFramed = key.toString('latin1', 0, start) === before && key.toString('latin1', end) === after;
  const match = isFramed ? NAME.exec(key.toString('latin1', start, end)) : null;
  return match === null ? undefined : (match[1] ?? '');
}

/** Whether the key is one of ours under construction, to be left out when a database is walked or counted. */
export function isTemporaryKey(key: Buffer, frame: NameFrame = unframed): boolean {
  return migrationOf(key, frame) !== undefined;
}

/** Whether the key is a temporary key of this migration. */
export function isTemporaryKeyOf(migration: string, key: Buffer, frame: NameFrame = unframed): boolean {
  return migration !== '' && migrationOf(key, frame) === migration;
}

/** What SCAN … MATCH finds the temporary keys of a migration by; ids have no character that stands for others. */
export function temporaryKeysPattern(migration: string, frame: NameFrame = unframed): string {
  const name = `${TEMPORARY_KEY_PREFIX}${migration}:*`;
  // What stands in a frame may stand for others.
  return frame === unframed ? name : `*${name}`;
}
