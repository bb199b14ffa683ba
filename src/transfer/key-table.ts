import { randomBytes } from 'node:crypto';
import { sha1Of } from '../basics/sha1';

/** How full the table becomes. */
const LOAD = 0.75;

/** What is kept of each key besides 64 bits of a digest of its name. */
export interface KeptOfKeys {
  /** When it expires. */
  readonly expiries: boolean;
  /** A number of 32 bits. */
  readonly notes: boolean;
}

/**
 * Keys by a digest that nobody else knows, so that they can be asked for by name: open addressing over halves of 32 bits. Of a million such
 * tables, each asked for millions of keys, one seems to have a key that it lacks.
 */
export class KeyTable {
  private readonly upper: Uint32Array;
  private readonly lower: Uint32Array;
  private readonly expiries: Float64Array | undefined;
  private readonly notes: Uint32Array | undefined;
  private readonly slots: number;
  private readonly secret = randomBytes(16);
  private added = 0;

  constructor(
    private readonly most: number,
    kept: KeptOfKeys,
  ) {
    this.slots = slotsFor(most);
    this.upper = new Uint32Array(this.slots);
    this.lower = new Uint32Array(this.slots);
    if (kept.expiries) this.expiries = new Float64Array(this.slots);
    if (kept.notes) this.notes = new Uint32Array(this.slots);
  }

  /** Bytes that a table takes. */
  static bytesFor(most: number, { expiries, notes }: KeptOfKeys): number {
    return slotsFor(most) * (8 + (expiries ? 8 : 0) + (notes ? 4 : 0));
  }

  /**
   * @param expiry ms since 1970; 0: none
   * @throws Error where there are more keys than were announced
   */
  add(key: Buffer, expiry: number, note = 0): void {
    if (++this.added > this.most) throw new Error('The file has more keys than were planned with.');
    const [upper, lower] = this.digestOf(key);
    const slot = this.slotOf(upper, lower);
    this.upper[slot] = upper;
    this.lower[slot] = lower;
    if (this.expiries !== undefined) this.expiries[slot] = expiry;
    if (this.notes !== undefined) this.notes[slot] = note;
  }

  /** What was noted of a key, 0 where nothing was; undefined where none of this name is alive at a moment, ms since 1970. */
  noteOf(key: Buffer, now: number): number | undefined {
    const [upper, lower] = this.digestOf(key);
    const slot = this.slotOf(upper, lower);
    const expiry = this.expiries?.[slot] ?? 0;
    return this.upper[slot] === 0 || (expiry !== 0 && expiry <= now) ? undefined : (this.notes?.[slot] ?? 0);
  }

  /** Where a digest is, or would be. */
  private slotOf(upper: number, lower: number): number {
    let slot = lower % this.slots;
    while (this.upper[slot] !== 0 && (this.upper[slot] !== upper || this.lower[slot] !== lower)) {
      slot = slot + 1 === this.slots ? 0 : slot + 1;
    }
    return slot;
  }

  /** The upper half is not 0, which marks what is free. */
  private digestOf(key: Buffer): [upper: number, lower: number] {
    const digest = sha1Of([this.secret, key]);
    return [Number.parseInt(digest.slice(0, 8), 16) || 1, Number.parseInt(digest.slice(8, 16), 16)];
  }
}

function slotsFor(most: number): number {
  return Math.ceil(most / LOAD) + 1;
}
