import path from 'node:path';
import { addressOf } from '../../src/redis/connection-settings';
import { commandLine } from '../hints';
import { TroubleError } from '../outcome';
import { processIdentity } from '../../local/process-identity';
import { goesOn, writtenSides } from '../runs/goes-on';
import type { ProcessMark, RunFolder, RunRecord } from '../runs/run-folder';
import type { RunStore } from '../runs/run-store';

/**
 * Each command has a storage of its own, so that the claim on a target, which is kept there, holds for one command. This looks for
 * others of the same data folder that write to the same server now, before this one begins. Of two that begin at once the one
 * whose folder is older goes on.
 * @throws TroubleError
 */
export async function refuseBusyTarget(run: RunFolder, store: RunStore): Promise<void> {
  const mine = writtenBy(run.record);
  if (mine.size === 0) return;
  for (const other of await store.all()) {
    const { id, owner } = other.record;
    if (other.folder === run.folder) continue;
    const [address] = [...writtenBy(other.record)].filter(([written]) => mine.has(written)).map(([, told]) => told);
    const isFirst = id !== null || path.basename(other.folder) < path.basename(run.folder);
    if (address === undefined || !isFirst || !isAlive(owner)) continue;
    const writer = goesOn(other.record)?.id ?? id;
    const advice = writer === null ? '' : ` Wait for it, or end it: ${commandLine('cancel', writer)}`;
    throw new TroubleError(
      `Another command is writing to the target ${address} (migration ${writer ?? 'starting'}).${advice}`,
    );
  }
}

/**
 * The addresses of the servers that a command writes to, in one spelling, each with how it was given: its target, and its source from the
 * moment on in which a cut-over was asked for that leads back.
 */
function writtenBy(record: RunRecord): Map<string, string> {
  const asked = record.mode ?? record.report?.mode;
  if (asked === 'compare' || asked === 'dry-run') return new Map();
  return new Map(writtenSides(record).map(({ address }) => [spelling(address), address]));
}

function isAlive(owner: ProcessMark | undefined): boolean {
  return owner?.identity !== undefined && processIdentity(owner.pid) === owner.identity;
}

/** "host:port" in one spelling. */
function spelling(address: string): string {
  const colon = address.lastIndexOf(':');
  // A file's path, or its name in a store.
  if (!/:\d+$/.test(address)) return address;
  return addressOf({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)) });
}
