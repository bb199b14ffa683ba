import type { Command, Reply, Side } from './side';

/** What a stream has besides its entries. */
export interface StreamState {
  /** last-generated-id, and entries-added, max-deleted-entry-id where the server has them; for each group its fields, consumers and pending entries. */
  readonly facts: ReadonlyMap<string, string>;
  /** Idle time in ms of each pending entry, by group and entry id. */
  readonly idle: ReadonlyMap<string, number>;
}

const streamFields = ['last-generated-id', 'entries-added', 'max-deleted-entry-id'];
const groupFields = ['last-delivered-id', 'entries-read', 'pending'];

/** Reads what XINFO and XPENDING tell about each stream. Undefined for one that has vanished. */
export async function readStreams(
  side: Side,
  database: number,
  keys: readonly Buffer[],
): Promise<(StreamState | undefined)[]> {
  const replies = await side.ask(
    database,
    keys.flatMap((key): Command[] => [
      ['XINFO', 'STREAM', key],
      ['XINFO', 'GROUPS', key],
    ]),
  );
  const states: (StreamState | undefined)[] = [];
  for (const [at, key] of keys.entries()) {
    const [stream, groups] = [replies[2 * at], replies[2 * at + 1]];
    states.push(
      Array.isArray(stream) && Array.isArray(groups)
        ? await readStream(side, database, key, stream, groups)
        : undefined,
    );
  }
  return states;
}

async function readStream(
  side: Side,
  database: number,
  key: Buffer,
  stream: Reply[],
  groups: Reply[],
): Promise<StreamState> {
  const facts = new Map<string, string>();
  const idle = new Map<string, number>();
  const about = fieldsOf(stream);
  for (const field of streamFields) if (about.has(field)) facts.set(field, about.get(field)!);
  const described = (groups as Reply[][]).map(fieldsOf);
  const names = described.map((group) => Buffer.from(group.get('name') ?? '', 'latin1'));
  const details = await side.ask(
    database,
    names.flatMap((name): Command[] => [
      ['XINFO', 'CONSUMERS', key, name],
      ['XPENDING', key, name, '-', '+', 1_000_000],
    ]),
  );
  for (const [at, group] of described.entries()) {
    const name = group.get('name') ?? '';
    for (const field of groupFields) if (group.has(field)) facts.set(`group ${name} ${field}`, group.get(field)!);
    for (const consumer of (details[2 * at] as Reply[][]).map(fieldsOf)) {
      facts.set(`group ${name} consumer ${consumer.get('name') ?? ''}`, `${consumer.get('pending') ?? ''} pending`);
    }
    for (const [id, owner, since, times] of details[2 * at + 1] as [Buffer, Buffer, number, number][]) {
      const label = `group ${name} pending ${id.toString()}`;
      facts.set(label, `of ${owner.toString('latin1')}, delivered ${times} times`);
      idle.set(label, since);
    }
  }
  return { facts, idle };
}

function fieldsOf(reply: Reply[]): Map<string, string> {
  const fields = new Map<string, string>();
  for (let at = 0; at < reply.length; at += 2) {
    const value = reply[at + 1];
    fields.set((reply[at] as Buffer).toString(), Buffer.isBuffer(value) ? value.toString('latin1') : String(value));
  }
  return fields;
}

const missing = 'nothing';
/** Known only to Redis 7 and later: compared where both sides tell them. */
const newer = /(?:^entries-added|^max-deleted-entry-id|entries-read)$/;

/** Everything that is different between two streams' states. */
export function streamDifferences(left: StreamState, right: StreamState, idleToleranceMs: number): string[] {
  const found: string[] = [];
  for (const name of new Set([...left.facts.keys(), ...right.facts.keys()])) {
    const [one, other] = [left.facts.get(name), right.facts.get(name)];
    if (one === other || (newer.test(name) && (one === undefined || other === undefined))) continue;
    found.push(`${name}: ${one ?? missing} ≠ ${other ?? missing}`);
  }
  for (const [name, since] of left.idle) {
    const other = right.idle.get(name);
    if (other !== undefined && Math.abs(other - since) > idleToleranceMs) {
      found.push(`${name}: idle ${since} ms ≠ ${other} ms`);
    }
  }
  return found;
}
