import { BeginsAnewError } from '../migration/stop';
import type { UseKind } from '../migration/use-kind';
import { isRedisError } from '../redis/errors';
import { PackedReader } from '../redis/message-pack';
import type { Command, RedisPort, Reply } from '../redis/redis-port';
import { runScript, scripts } from '../redis/scripts';

/** What was read of one key: its payload, or why there is none. */
export type Payload = Buffer | 'gone' | 'big' | 'later';

/** Keys with their values, read at one moment of the source's clock. The three arrays belong together by place. */
export interface ReadKeys {
  readonly keys: readonly Buffer[];
  /** Absolute expiry in ms of the source's clock; 0: none. */
  readonly expiries: readonly number[];
  readonly payloads: readonly Payload[];
  /** What OBJECT FREQ or IDLETIME said before the keys were read, where that is asked for; -1 where it said nothing. */
  readonly uses?: readonly number[] | undefined;
  /** Bytes of all payloads. */
  readonly bytes: number;
  /** Microseconds that the server took. */
  readonly micros: number;
}

/** One SCAN reply. */
export interface ScannedKeys<Seen = never> {
  readonly next: bigint;
  readonly keys: readonly Buffer[];
  /** Type names, where asked for; otherwise empty. */
  readonly types: readonly string[];
  readonly micros: number;
  /** False where nothing was asked of the server: the keys were known. */
  readonly asked?: false;
  /** What the reader saw of exactly these keys in the same round trip, where it looks. */
  readonly seen?: Seen | undefined;
}

export interface ReadLimits {
  /** Above this a key is left to the copy by commands. Bytes. */
  readonly bigKeyBytes: number;
  /** When this much is read, the rest of the page is left for later. Bytes. */
  readonly pageBytes: number;
  /** Whether MEMORY USAGE may be asked first. */
  readonly lookAtSizes: boolean;
  /** What is told of the keys' use, where scripts read them. */
  readonly use?: UseKind | undefined;
}

/** Reads pages from one database of the source. Throws the server's error, or the connection's; BeginsAnewError where the server does not know a cursor. */
export interface PageReader<Seen = never> {
  scan(cursor: bigint, count: number, withTypes: boolean): Promise<ScannedKeys<Seen>>;
  read(keys: readonly Buffer[]): Promise<ReadKeys>;
  scanAndRead(cursor: bigint, count: number): Promise<{ readonly next: bigint; readonly page: ReadKeys }>;
}

/** One script call a page: the fast way. */
export class ScriptPageReader implements PageReader {
  private readonly limits: readonly string[];

  constructor(
    private readonly port: RedisPort,
    { bigKeyBytes, pageBytes, lookAtSizes, use }: ReadLimits,
  ) {
    this.limits = [String(bigKeyBytes), String(pageBytes), lookAtSizes ? '1' : '0', use ?? ''];
  }

  async scan(cursor: bigint, count: number, withTypes: boolean): Promise<ScannedKeys> {
    const args = [String(cursor), String(count), withTypes ? '1' : '0'];
    const reply = list(await from(cursor, runScript(this.port, scripts.scan, [], args)));
    return {
      next: BigInt(text(reply[1])),
      micros: Number(reply[0]),
      keys: list(reply[2]) as Buffer[],
      types: list(reply[3]).map(text),
    };
  }

  async read(keys: readonly Buffer[]): Promise<ReadKeys> {
    const reply = list(await runScript(this.port, scripts.read, keys, this.limits));
    return readPacked(keys, Number(reply[0]), packed(reply[1]));
  }

  async scanAndRead(cursor: bigint, count: number): Promise<{ next: bigint; page: ReadKeys }> {
    const args = [String(cursor), String(count), ...this.limits];
    const reply = list(await from(cursor, runScript(this.port, scripts.scanAndRead, [], args)));
    const keys = readNames(packed(reply[2]));
    return { next: BigInt(text(reply[1])), page: readPacked(keys, Number(reply[0]), packed(reply[3])) };
  }
}

/** The marks of read-keys.lua. */
const BIG = 1;
const LATER = 2;
const ELSEWHERE = 3;
/** How many keys are read at once when nothing tells their sizes. */
const BLIND_PAGE = 32;
/** Time that may pass on the server between its TIME and a PTTL before both are asked for again, ms. */
const CLOCK_SPREAD_MS = 2;
const CLOCK_TRIES = 4;

/** SCAN, then a pipeline of PTTL and DUMP: where the server allows no scripts. */
export class PipelinePageReader implements PageReader {
  /** The shortest round trip seen, microseconds: what a call takes beyond it is the server's time. */
  private roundTrip = Number.POSITIVE_INFINITY;

  constructor(
    private readonly port: RedisPort,
    private readonly limits: ReadLimits,
  ) {}

  async scan(cursor: bigint, count: number, withTypes: boolean): Promise<ScannedKeys> {
    const started = performance.now();
    const reply = list(await from(cursor, this.port.call('SCAN', String(cursor), 'COUNT', String(count))));
    const taken = (performance.now() - started) * 1_000;
    this.roundTrip = Math.min(this.roundTrip, taken);
    const micros = taken - this.roundTrip;
    const keys = list(reply[1]) as Buffer[];
    const types = withTypes ? await this.port.pipeline(keys.map((key): Command => ['TYPE', key])) : [];
    return { next: BigInt(text(reply[0])), keys, types: types.map((type) => text(unwrap(type))), micros };
  }

  async read(keys: readonly Buffer[]): Promise<ReadKeys> {
    const started = performance.now();
    const skip = await this.notNow(keys);
    const commands: Command[] = [['TIME']];
    keys.forEach((key, i) => {
      // PTTL after DUMP: a key that expires in between is gone, not immortal.
      if (skip[i] === undefined) commands.push(['DUMP', key]);
      if (skip[i] !== LATER) commands.push(['PTTL', key]);
    });
    commands.push(['TIME']);
    const replies = await this.port.pipeline(commands);
    const payloads: Reply[] = [];
    const ttls: number[] = [];
    let at = 1;
    keys.forEach((_, i) => {
      const payload = skip[i] ?? unwrap(replies[at++]);
      const ttl = skip[i] === LATER ? -2 : Number(unwrap(replies[at++]));
      // Some servers (Garnet) give no payload of types that they have.
      const isUntold = payload === null && ttl !== -2;
      const isLong = Buffer.isBuffer(payload) && payload.length > this.limits.bigKeyBytes;
      ttls.push(ttl);
      payloads.push(isUntold || isLong ? BIG : payload);
    });
    const [before, after] = [clockMs(replies[0]), clockMs(replies[at])];
    const expiries =
      after - before <= CLOCK_SPREAD_MS
        ? ttls.map((ttl) => (ttl > 0 ? after + ttl : ttl))
        : await this.readExpiries(keys, ttls);
    const roundTrips = (this.limits.lookAtSizes ? 2 : 1) * (Number.isFinite(this.roundTrip) ? this.roundTrip : 0);
    const micros = Math.max(0, (performance.now() - started) * 1_000 - roundTrips);
    return {
      keys,
      expiries: expiries.map((expiry) => Math.max(0, expiry)),
      payloads: payloads.map((payload, i) => payloadOf(expiries[i] ?? -2, payload)),
      bytes: payloads.reduce<number>((sum, payload) => sum + (Buffer.isBuffer(payload) ? payload.length : 0), 0),
      micros,
    };
  }

  /** Asks anew for each PTTL that is there, between two TIMEs, and again where time passed between those. */
  private async readExpiries(keys: readonly Buffer[], ttls: readonly number[]): Promise<number[]> {
    const expiries = [...ttls];
    let open = keys.map((_, i) => i).filter((i) => (ttls[i] ?? -2) > 0);
    for (let tries = 1; open.length > 0; tries++) {
      const asked = open;
      const commands = asked.flatMap((i): Command[] => [['TIME'], ['PTTL', keys[i] ?? '']]);
      const replies = await this.port.pipeline([...commands, ['TIME']]);
      open = asked.filter((place, i) => {
        const ttl = Number(unwrap(replies[2 * i + 1]));
        const [before, after] = [clockMs(replies[2 * i]), clockMs(replies[2 * i + 2])];
        expiries[place] = ttl > 0 ? after + ttl : ttl;
        return ttl > 0 && after - before > CLOCK_SPREAD_MS && tries < CLOCK_TRIES;
      });
    }
    return expiries;
  }

  async scanAndRead(cursor: bigint, count: number): Promise<{ next: bigint; page: ReadKeys }> {
    const { next, keys } = await this.scan(cursor, count, false);
    return { next, page: await this.read(keys) };
  }

  /** Which keys are not dumped now: big ones, and those behind what one page may have. */
  private async notNow(keys: readonly Buffer[]): Promise<(number | undefined)[]> {
    if (!this.limits.lookAtSizes) return keys.map((_, i) => (i < BLIND_PAGE ? undefined : LATER));
    const sizes = await this.port.pipeline(keys.map((key): Command => ['MEMORY', 'USAGE', key]));
    let sum = 0;
    return sizes.map((reply) => {
      const size = typeof reply === 'number' ? reply : 0;
      if (sum > this.limits.pageBytes) return LATER;
      if (size > this.limits.bigKeyBytes) return BIG;
      sum += size;
      return undefined;
    });
  }
}

/** A cursor may hold on one connection only, or in one process. @throws BeginsAnewError */
async function from<T>(cursor: bigint, page: Promise<T>): Promise<T> {
  try {
    return await page;
  } catch (error) {
    if (cursor === 0n || !isRedisError(error, 'wrongCursor')) throw error;
    throw new BeginsAnewError(error.message, { cause: error });
  }
}

/** Reads a MessagePack of names. */
export function readNames(packedNames: Buffer): Buffer[] {
  const names = new PackedReader(packedNames);
  return Array.from({ length: names.array() }, () => names.bytes());
}

/**
 * Reads what read-keys.lua packed. Payloads are views of it.
 * @returns also the places of keys that the node that was asked does not have: they are to be read by commands of their own
 */
export function readPacked(
  keys: readonly Buffer[],
  micros: number,
  entries: Buffer,
): ReadKeys & { readonly elsewhere: readonly number[] } {
  const reader = new PackedReader(entries);
  const entriesOfKeys = reader.array();
  const uses = entriesOfKeys === 3 * keys.length && keys.length > 0 ? new Array<number>(keys.length) : undefined;
  if (uses === undefined && entriesOfKeys !== 2 * keys.length) throw unexpected();
  const expiries = new Array<number>(keys.length);
  const payloads = new Array<Payload>(keys.length);
  const elsewhere: number[] = [];
  let bytes = 0;
  for (let i = 0; i < keys.length; i++) {
    const expiry = reader.number();
    const payload = reader.isBytes() ? reader.bytes() : reader.number();
    if (typeof payload !== 'number') bytes += payload.length;
    else if (payload === ELSEWHERE) elsewhere.push(i);
    payloads[i] = payloadOf(expiry, payload);
    expiries[i] = Math.max(0, expiry);
    if (uses !== undefined) uses[i] = reader.number();
  }
  return { keys, expiries, payloads, uses, bytes, micros, elsewhere };
}

function payloadOf(expiry: number, payload: Reply): Payload {
  // A TTL of 0 is the last millisecond: RESTORE would take it for "no expiry".
  if (Buffer.isBuffer(payload)) return expiry === -2 || expiry === 0 ? 'gone' : payload;
  return payload === BIG ? 'big' : payload === LATER || payload === ELSEWHERE ? 'later' : 'gone';
}

/** The reply of TIME in ms since 1970, as PTTL counts: whole milliseconds. */
export function clockMs(reply: Reply | Error | undefined): number {
  return Math.floor(microsOfTime(reply) / 1_000);
}

/** The same in microseconds. */
export function microsOfTime(reply: Reply | Error | undefined): number {
  const time = list(unwrap(reply));
  return Number(text(time[0])) * 1_000_000 + Number(text(time[1]));
}

function unwrap(reply: Reply | Error | undefined): Reply {
  if (reply instanceof Error) throw reply;
  if (reply === undefined) throw unexpected();
  return reply;
}

export function list(reply: Reply | undefined): Reply[] {
  if (!Array.isArray(reply)) throw unexpected();
  return reply;
}

export function packed(reply: Reply | undefined): Buffer {
  if (!Buffer.isBuffer(reply)) throw unexpected();
  return reply;
}

function unexpected(): Error {
  return new Error('The server answered in an unexpected form.');
}

export function text(reply: Reply | undefined): string {
  return Buffer.isBuffer(reply) ? reply.toString('latin1') : String(reply);
}
