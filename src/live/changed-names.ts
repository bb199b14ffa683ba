/** A name that was told to have changed, and when it was first told since it was applied last. */
export interface Changed {
  readonly name: string;
  /** By this process' monotonic clock, ms. */
  readonly since: number;
  /** Names are numbered in the order in which they were told. */
  readonly place: number;
}

export interface NamesLimits {
  /** A name is always applied in the same lane, and in a lane one after the other. */
  readonly lanes: number;
  /** What names may take that are held, to be applied or kept: where there are more, the source cannot be followed. Bytes. */
  readonly mostBytes: number;
  /** What a key is called on the target: keys of one name there are in the same lane. Without it each keeps its name. */
  readonly placeOf?: ((key: Buffer) => Buffer) | undefined;
}

/** A key's names as bytes, in a form that maps compare. */
export const nameOf = (key: Buffer): string => key.toString('latin1');
export const keyOf = (name: string): Buffer => Buffer.from(name, 'latin1');

/** A name rests for so many times what its last read took: one large key that changes all the time would be read without end. */
const REST_FACTOR = 20;
/** Shorter rests are none, ms. */
const LEAST_REST_MS = 20;
/** What a held name takes beside its bytes, about. */
const BYTES_A_NAME = 100;

interface Lane {
  /** In the order of their places. */
  readonly waiting: Map<string, Changed>;
  /** Taken once and given back: first to be taken again. */
  readonly again: Map<string, Changed>;
  /** Taken, and not yet done. */
  readonly taken: Map<string, Changed>;
  /** Until when a name is left alone, and whether it has changed meanwhile. */
  readonly resting: Map<string, { readonly until: number; changed: Changed | undefined }>;
}

/**
 * The names of one database that changed and are not applied yet. Who applies a name takes it out before its key is read, so that a
 * later change puts it in again: what is written last was read after the last change.
 *
 * Whoever else writes the same keys and is told of no changes (a walk that copies) may write what it read before a change after that
 * was applied. So while a walk is under way names are kept as well, and applied once more when it has ended.
 */
export class ChangedNames {
  private readonly lanes: readonly Lane[];
  private kept = new Set<string>();
  private keeps = false;
  private places = 0;
  private bytes = 0;

  constructor(
    private readonly limits: NamesLimits,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.lanes = Array.from({ length: limits.lanes }, () => ({
      waiting: new Map<string, Changed>(),
      again: new Map<string, Changed>(),
      taken: new Map<string, Changed>(),
      resting: new Map<string, { until: number; changed: Changed | undefined }>(),
    }));
  }

  get lanesCount(): number {
    return this.lanes.length;
  }

  /** Notes a change. False where there is no room for it: from then on nothing can be said any more. */
  note(key: Buffer): boolean {
    const name = nameOf(key);
    const lane = this.laneOf(name);
    const resting = lane.resting.get(name);
    if (resting !== undefined) resting.changed ??= this.next(name);
    // One that waits already will be read after this change, too.
    else if (!lane.waiting.has(name) && !lane.again.has(name)) lane.waiting.set(name, this.next(name));
    if (this.keeps) this.keepName(name);
    return this.bytes <= this.limits.mostBytes;
  }

  /**
   * From now on names are kept, to be applied once more; and those that are on their way: what was read of them may be written after the
   * walk has met their keys, and what they became since may have been told to nobody.
   */
  keep(): void {
    this.keeps = true;
    for (const { taken } of this.lanes) for (const name of taken.keys()) this.keepName(name);
  }

  /** Has all that were kept applied once more, and keeps no more. They are applied once `isAppliedUpTo` says so of this place. */
  release(): number {
    for (const name of this.kept) {
      this.bytes -= bytesOf(name);
      const lane = this.laneOf(name);
      if (lane.waiting.has(name) || lane.again.has(name)) continue;
      const resting = lane.resting.get(name);
      if (resting === undefined) lane.waiting.set(name, this.next(name));
      else resting.changed ??= this.next(name);
    }
    this.kept = new Set();
    this.keeps = false;
    return this.places;
  }

  /** The place behind the last name that was told. */
  get told(): number {
    return this.places;
  }

  /** Whether every name that was told before a place has been applied since. */
  isAppliedUpTo(place: number): boolean {
    return this.lanes.every(
      (lane) =>
        (firstOf(lane.waiting)?.place ?? place) >= place &&
        [...lane.again.values(), ...lane.taken.values()].every((one) => one.place >= place) &&
        [...lane.resting.values()].every(({ changed }) => (changed?.place ?? place) >= place),
    );
  }

  /**
   * Takes names of a lane to be applied now, those first that have waited longest.
   * @param hurries rests are over
   */
  take(laneNumber: number, most: number, hurries = false): Changed[] {
    const lane = this.lane(laneNumber);
    const now = this.now();
    for (const [name, { until, changed }] of lane.resting) {
      if (now < until && !hurries) continue;
      lane.resting.delete(name);
      if (changed !== undefined) lane.again.set(name, changed);
    }
    const taken: Changed[] = [];
    for (const from of [lane.again, lane.waiting]) {
      for (const [name, changed] of from) {
        if (taken.length >= most) break;
        // It is on its way at the moment: a lane takes its next names when those before are done.
        if (lane.taken.has(name)) continue;
        from.delete(name);
        lane.taken.set(name, changed);
        taken.push(changed);
      }
    }
    return taken;
  }

  /** A name that was taken is applied. @param readMs what reading its key took on the source */
  done(laneNumber: number, { name }: Changed, readMs: number): void {
    const lane = this.lane(laneNumber);
    lane.taken.delete(name);
    this.bytes -= bytesOf(name);
    const rest = readMs * REST_FACTOR;
    if (rest < LEAST_REST_MS) return;
    const changed = lane.waiting.get(name);
    lane.waiting.delete(name);
    lane.resting.set(name, { until: this.now() + rest, changed });
  }

  /** A name that was taken could not be applied: it is taken again first. */
  giveBack(laneNumber: number, changed: Changed): void {
    const lane = this.lane(laneNumber);
    lane.taken.delete(changed.name);
    if (lane.waiting.delete(changed.name)) this.bytes -= bytesOf(changed.name);
    lane.again.set(changed.name, changed);
  }

  /** Forgets all that is not on its way: those of before are not followed any more. */
  clear(): void {
    this.kept = new Set();
    this.bytes = 0;
    for (const { waiting, again, taken, resting } of this.lanes) {
      for (const all of [waiting, again, resting]) all.clear();
      for (const name of taken.keys()) this.bytes += bytesOf(name);
    }
  }

  /** None is on its way. */
  get areResting(): boolean {
    return this.lanes.every(({ taken }) => taken.size === 0);
  }

  /** Whether a name is to be applied, or is being applied. */
  isOpen(name: string): boolean {
    const { waiting, again, taken, resting } = this.laneOf(name);
    return waiting.has(name) || again.has(name) || taken.has(name) || resting.get(name)?.changed !== undefined;
  }

  /** How many names are to be applied yet. */
  get size(): number {
    return this.lanes.reduce((sum, { waiting, again, taken, resting }) => {
      let restless = 0;
      for (const { changed } of resting.values()) if (changed !== undefined) restless++;
      return sum + waiting.size + again.size + taken.size + restless;
    }, 0);
  }

  /** How many names will be applied once more when the walk has ended. */
  get keptSize(): number {
    return this.kept.size;
  }

  /** For how long the oldest name has waited, ms; 0 where none does. */
  get oldestMs(): number {
    let oldest = this.now();
    const now = oldest;
    for (const lane of this.lanes) {
      const first = firstOf(lane.waiting);
      if (first !== undefined) oldest = Math.min(oldest, first.since);
      for (const { since } of lane.again.values()) oldest = Math.min(oldest, since);
      for (const { since } of lane.taken.values()) oldest = Math.min(oldest, since);
      for (const { changed } of lane.resting.values()) oldest = Math.min(oldest, changed?.since ?? oldest);
    }
    return now - oldest;
  }

  private keepName(name: string): void {
    if (this.kept.has(name)) return;
    this.kept.add(name);
    this.bytes += bytesOf(name);
  }

  private next(name: string): Changed {
    this.bytes += bytesOf(name);
    return { name, since: this.now(), place: this.places++ };
  }

  private laneOf(name: string): Lane {
    const { placeOf } = this.limits;
    const place = placeOf === undefined ? name : nameOf(placeOf(keyOf(name)));
    let hash = 0x811c9dc5;
    for (let i = 0; i < place.length; i++) hash = Math.imul(hash ^ place.charCodeAt(i), 0x01000193);
    return this.lane((hash >>> 0) % this.lanes.length);
  }

  private lane(number: number): Lane {
    const lane = this.lanes[number];
    if (lane === undefined) throw new Error(`There is no lane ${number}.`);
    return lane;
  }
}

function bytesOf(name: string): number {
  return name.length + BYTES_A_NAME;
}

function firstOf(names: ReadonlyMap<string, Changed>): Changed | undefined {
  for (const changed of names.values()) return changed;
  return undefined;
}
