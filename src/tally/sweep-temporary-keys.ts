import type { App } from '../app/app';
import { OvertakenError } from '../app/visits';
import { isHeld, type LiveRow } from '../migration/live';
import { isSettled, type MigrationRow, type RangeRow } from '../migration/rows';
import { apartFromSource } from '../migration/same-server';
import { connectionOf } from '../migration/side-spec';
import type { Command, RedisPort } from '../redis/redis-port';
import { isTemporaryKeyOf, temporaryKeysPattern } from '../transfer/by-commands';
import { hasUnlink } from '../transfer/by-commands/abilities';
import { abilitiesOf } from '../transfer/by-commands/abilities-of';
import { asBytes, asList, throwErrors } from '../transfer/by-commands/replies';

/** Whether the end of a migration may be judged, as far as temporary keys go, and what is to be said of them. */
export interface Sweep {
  readonly done: boolean;
  readonly warnings: readonly string[];
}

/** What the tally knows when it asks for a sweep. */
export interface SweepFacts {
  readonly migration: MigrationRow;
  /** Of all phases, each as it counts in the current epoch. */
  readonly rows: readonly RangeRow[];
  /** Whoever follows the source, where it is followed. */
  readonly follower?: LiveRow | undefined;
  /** For how long no range has given a sign, while the tally watched. Seconds. */
  readonly quietSeconds: number;
  /** Called again and again while the sweep goes on. @throws OvertakenError when it must end */
  readonly goesOn: () => Promise<void>;
}

/** Keys that one call looks at: about a third of a millisecond of the target's time. */
const KEYS_A_PAGE = 1_000;
/** One visit's sweep takes no longer; the next one begins anew. Some hundred million keys fit in. */
const LONGEST_SWEEP_MS = 240_000;
/** A target that cannot be swept holds the end up for so long, in seconds. */
const GIVE_UP_S = 300;

/**
 * Removes the temporary keys of a migration from its target, once nobody works on its ranges any more: before keys are counted,
 * and before it ends, however it ends. Looks through the target only where a worker has died or been cut off in the middle of a
 * key; all others have told that theirs are gone. A worker that still builds after that (cut off from storage, or asleep) finds
 * its key lost at the next write, and removes what that write made, or it expires.
 */
export async function sweepTemporaryKeys(
  { migration, rows, follower, quietSeconds, goesOn }: SweepFacts,
  app: Pick<App, 'connections' | 'settings'>,
): Promise<Sweep> {
  const nobodyWorks =
    quietSeconds > app.settings.stallSeconds || rows.every((row) => row.phase !== migration.phase || isSettled(row));
  // Who follows works until all is proved, or it has left.
  const isFollowing = follower !== undefined && isHeld(follower) && follower.session !== '' && follower.proof === null;
  const nobodyBuilt = [...rows, ...(follower === undefined ? [] : [follower])].every(
    ({ builders }) => builders.length === 0,
  );
  if (!nobodyWorks || isFollowing || nobodyBuilt) return { done: true, warnings: [] };
  const { request, databases, target } = migration.plan;
  const unlink = hasUnlink(abilitiesOf(target)) ? 'UNLINK' : 'DEL';
  const until = performance.now() + LONGEST_SWEEP_MS;
  try {
    for (const database of new Set(databases.map(({ targetDatabase }) => targetDatabase))) {
      const connection = app.connections.get(connectionOf(request.target), database, apartFromSource(migration));
      await connection.ready();
      const goOn = async () => {
        if (performance.now() > until) throw new Error('The sweep took too long.');
        await goesOn();
      };
      for (const server of await connection.servers()) await sweepDatabase(server, migration, unlink, goOn);
    }
    return { done: true, warnings: [] };
  } catch (error) {
    if (error instanceof OvertakenError) throw error;
    // The target is away, full or refuses: why, the workers have said. The next visit tries again.
    return quietSeconds > Math.min(GIVE_UP_S, app.settings.stallSeconds)
      ? { done: true, warnings: [`${LEFT} They expire by themselves within 6 hours.`] }
      : { done: false, warnings: [`${LEFT} It is tried again.`] };
  }
}

const LEFT = 'Temporary keys may be left on the target: it could not be looked through for them.';

async function sweepDatabase(
  target: RedisPort,
  { id, plan }: MigrationRow,
  unlink: 'UNLINK' | 'DEL',
  goOn: () => Promise<void>,
): Promise<void> {
  const frame = plan.target.abilities.ownKeys;
  let cursor: Buffer = Buffer.from('0');
  do {
    await goOn();
    const args = ['MATCH', temporaryKeysPattern(id, frame), 'COUNT', String(KEYS_A_PAGE)];
    const [next, found] = asList(await target.call('SCAN', cursor, ...args));
    cursor = asBytes(next);
    const keys = asList(found)
      .map(asBytes)
      .filter((key) => isTemporaryKeyOf(id, key, frame));
    throwErrors(await target.pipeline(keys.map((key): Command => [unlink, key])));
  } while (cursor.toString('latin1') !== '0');
}
