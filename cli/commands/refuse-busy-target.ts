import path from 'node:path';
import { addressOf } from '../../src/redis/connection-settings';
import { commandLine } from '../hints';
import { isEnded, TroubleError } from '../outcome';
import { processIdentity } from '../../local/process-identity';
import type { ProcessMark, RunFolder, RunRecord } from '../runs/run-folder';
import type { RunStore } from '../runs/run-store';

/**
 * Each command has a storage of its own, so that the claim on a target, which is kept there, holds for one command. This looks for
 * others of the same data folder that write to the same server now, before this one begins. Of two that begin at once the one
 * whose folder is older goes on.
 * @throws TroubleError
 */
export async function refuseBusyTarget(run: RunFolder, store: RunStore): Promise<void> {
  if (!writes(run.record)) return;
  const address = spelling(run.record.target.address);
  for (const other of await store.all()) {
    const { id, target } = other.record;
    if (other.folder === run.folder || spelling(target.address) !== address || !writes(other.record)) continue;
    const isFirst = id !== null || path.basename(other.folder) < path.basename(run.folder);
    if (!isFirst || !isAlive(other.record.owner)) continue;
    const advice = id === null ? '' : ` Wait for it, or end it: ${commandLine('cancel', id)}`;
    throw new TroubleError(
      `Another command is writing to the target ${target.address} (migration ${id ?? 'starting'}).${advice}`,
    );
  }
}

function writes({ mode, report }: RunRecord): boolean {
  if (report !== null && isEnded(report.state)) return false;
  const asked = mode ?? report?.mode;
  return asked !== 'compare' && asked !== 'dry-run';
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
