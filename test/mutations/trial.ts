import { Redis } from 'ioredis';
import { startServer, type RunningServer } from '../../local/servers/start-server';
import { BadPayloadError } from '../../src/payload/byte-reader';
import { checkValue } from '../../src/payload/check-value';
import { FOOTER_BYTES } from '../../src/payload/footer';
import { PayloadGate } from '../../src/payload/payload-gate';
import { Workspace } from '../../src/payload/workspace';
import type { Command } from '../tools/odd-keys/commands';
import { Dice } from '../torture/dice';
import { changingCommands, readingCommands } from './exercise';
import { mutate, type Sample } from './mutate';

/** What became of changed payloads, in numbers. */
export interface Tally {
  made: number;
  /** Not written as servers write them, as far as was seen here: they go by commands. */
  turnedDown: number;
  /** Of a type or version that is not sent anyway. */
  notSent: number;
  /** Given to the server, and taken or refused by it. */
  taken: number;
  refused: number;
  /** Its process ended, it did not answer, or its data were others after it was saved and loaded. */
  ended: number;
  hung: number;
  corrupted: number;
  /** The codec failed, or took too long. */
  failed: number;
}

/** A payload after which something was wrong. */
export interface Culprit {
  readonly what: string;
  readonly source: string;
  readonly sent: string;
}

interface Candidate {
  readonly source: Buffer;
  readonly sent: Buffer;
}

const SLOW_MICROS = 500_000;
const HUNG_MS = 20_000;

/**
 * Changes payloads at random, lets those that pass every look here through to a real Redis 6.0, which ends at what is
 * malformed, and uses each value there in all ways: read, saved and loaded, read, changed, deleted.
 */
export class Trial {
  readonly tally: Tally = {
    ...{ made: 0, turnedDown: 0, notSent: 0, taken: 0, refused: 0 },
    ...{ ended: 0, hung: 0, corrupted: 0, failed: 0 },
  };
  readonly culprits: Culprit[] = [];
  private readonly space = new Workspace();
  private readonly gate = new PayloadGate(
    { software: 'redis', version: '8.0.2', modules: [] },
    { software: 'redis', version: '6.0.16', modules: [], versions: [[6, 9]] },
  );

  private constructor(
    private readonly samples: readonly Sample[],
    private readonly server: RunningServer,
    private client: Redis,
  ) {}

  static async begin(samples: readonly Sample[]): Promise<Trial> {
    const server = await startServer('redis-6.0');
    return new Trial(samples, server, connect(server));
  }

  async end(): Promise<void> {
    this.client.disconnect();
    await this.server.kill();
  }

  /** Tries so many payloads, made from a seed. */
  async run(seed: number, payloads: number): Promise<void> {
    const dice = new Dice(seed);
    const candidates: Candidate[] = [];
    for (let i = 0; i < payloads; i++) {
      const source = mutate(this.samples, dice);
      const sent = this.lookAt(source);
      if (sent !== undefined) candidates.push({ source, sent });
    }
    await this.give(candidates);
  }

  /** What would be sent of a payload. */
  private lookAt(source: Buffer): Buffer | undefined {
    this.tally.made++;
    const passage = this.gate.passageOf(source);
    if (typeof passage === 'object' || passage === 'by-commands') {
      this.tally.notSent++;
      return undefined;
    }
    const begun = process.cpuUsage();
    try {
      // What goes as it is comes from a server; here, as out of a file, it is looked at as well.
      if (passage !== 're-encoded') this.check(source);
      const ready = this.gate.prepare(source, Date.now);
      if (ready === 'by-commands') {
        this.tally.turnedDown++;
        return undefined;
      }
      if (!('payload' in ready)) return undefined;
      this.check(ready.payload);
      if (process.cpuUsage(begun).user > SLOW_MICROS)
        this.blame('failed', 'it took long to look at', source, ready.payload);
      return ready.payload;
    } catch (error) {
      if (error instanceof BadPayloadError && passage !== 're-encoded') {
        this.tally.turnedDown++;
        return undefined;
      }
      this.blame('failed', String(error), source, source);
      return undefined;
    }
  }

  private check(payload: Buffer): void {
    checkValue(payload, 0, payload.length - FOOTER_BYTES, this.space);
  }

  private async give(candidates: readonly Candidate[]): Promise<void> {
    const trouble = await this.tryOut(candidates);
    if (trouble === undefined || candidates.length === 0) return;
    if (candidates.length > 1) {
      const half = candidates.length >> 1;
      await this.give(candidates.slice(0, half));
      await this.give(candidates.slice(half));
      return;
    }
    const [{ source, sent }] = candidates as [Candidate];
    this.blame(trouble.kind, trouble.what, source, sent);
  }

  /** Gives them to the server and uses them; what was wrong, if anything, and the server is a new one then. */
  private async tryOut(
    candidates: readonly Candidate[],
  ): Promise<{ kind: 'ended' | 'hung' | 'corrupted'; what: string } | undefined> {
    const { client } = this;
    try {
      await this.send([['FLUSHALL']]);
      const restored = await this.send(candidates.map(({ sent }, i) => ['RESTORE', `k${i}`, '0', sent]));
      const taken = restored.filter((reply) => !(reply instanceof Error)).length;
      const types = (await this.send(candidates.map((_, i) => ['TYPE', `k${i}`]))) as string[];
      const read = () => this.send(types.flatMap((type, i) => readingCommands(type, `k${i}`)));
      await read();
      const before = await client.call('DEBUG', 'DIGEST');
      await client.call('DEBUG', 'RELOAD');
      const after = await client.call('DEBUG', 'DIGEST');
      if (before !== after) return { kind: 'corrupted', what: 'other data after it was saved and loaded' };
      await read();
      await this.send(types.flatMap((type, i) => changingCommands(type, `k${i}`)));
      await client.call('DEBUG', 'RELOAD');
      await this.send(candidates.map((_, i) => ['DEL', `k${i}`]));
      await client.ping();
      this.tally.taken += taken;
      this.tally.refused += candidates.length - taken;
      return undefined;
    } catch (error) {
      const hung = (error as Error).message === 'hung';
      const what = hung ? 'no answer' : this.server.lastWords();
      client.disconnect();
      await this.server.restart();
      this.client = connect(this.server);
      return { kind: hung ? 'hung' : 'ended', what };
    }
  }

  /** @throws Error where the connection is lost or nothing is answered */
  private async send(commands: readonly Command[]): Promise<unknown[]> {
    if (commands.length === 0) return [];
    const pipeline = this.client.pipeline();
    for (const [name, ...args] of commands) pipeline.call(name, ...args);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error('hung'));
      }, HUNG_MS);
    });
    const replies = await Promise.race([pipeline.exec(), late]).finally(() => {
      clearTimeout(timer);
    });
    return (replies ?? []).map(([error, reply]) => {
      if (error !== null && !/^[A-Z]+ /.test(error.message)) throw error;
      return error ?? reply;
    });
  }

  private blame(kind: 'ended' | 'hung' | 'corrupted' | 'failed', what: string, source: Buffer, sent: Buffer): void {
    this.tally[kind]++;
    this.culprits.push({ what: `${kind}: ${what}`, source: source.toString('hex'), sent: sent.toString('hex') });
  }
}

function connect(server: RunningServer): Redis {
  const client = new Redis(server.url, { retryStrategy: () => null, maxRetriesPerRequest: 0 });
  client.on('error', () => undefined);
  return client;
}
