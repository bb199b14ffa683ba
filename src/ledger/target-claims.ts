import { createHash } from 'node:crypto';
import type { TableClient } from '@azure/data-tables';
import { created, found, isConflict, isGone, type Entity } from './entities';

/** Who holds a target, and since when, ms since 1970. */
export interface Claim {
  readonly holder: string;
  readonly since: number;
}

/** Whether the holder of a claim may still write to its target. */
export type IsOpen = (claim: Claim) => Promise<boolean>;

const PARTITION = 'target';

/** Who may write to which target, by the hashes of the names that it is known by. */
export class TargetClaims {
  /** @param time the storage's, ISO 8601 */
  constructor(
    private readonly table: TableClient,
    private readonly time: () => string,
  ) {}

  /**
   * Takes a target for one migration, under all names that it is known by, or under none. Returns the id of the migration
   * that holds it: this one, or another one that `isOpen` says may still write. Two that take some of the same names at
   * the same time do so in the same order, so that one of them goes on.
   */
  async claim(names: readonly string[], id: string, isOpen: IsOpen): Promise<string> {
    const taken: string[] = [];
    for (const rowKey of [...new Set(names.map(claimKey))].sort()) {
      const { holder, isNew } = await this.take(rowKey, id, isOpen);
      if (holder !== id) {
        for (const key of taken) await this.giveBackOne(key, id);
        return holder;
      }
      if (isNew) taken.push(rowKey);
    }
    return id;
  }

  /** Gives back what a migration that never began has taken. */
  async giveBack(names: readonly string[], id: string): Promise<void> {
    for (const name of new Set(names)) await this.giveBackOne(claimKey(name), id);
  }

  /** Who holds a target by one of these names, and may still write to it. */
  async holderOf(names: readonly string[], isOpen: IsOpen): Promise<string | undefined> {
    for (const name of names) {
      const held = await this.entityOf(claimKey(name));
      if (held !== undefined && (await isOpen(readClaim(held)))) return readClaim(held).holder;
    }
    return undefined;
  }

  private async take(rowKey: string, id: string, isOpen: IsOpen): Promise<{ holder: string; isNew: boolean }> {
    for (;;) {
      const entity = { partitionKey: PARTITION, rowKey, migration: id, claimedAt: this.time() };
      if (await created(this.table.createEntity(entity))) return { holder: id, isNew: true };
      const held = await this.entityOf(rowKey);
      if (held === undefined) continue;
      const claim = readClaim(held);
      if (claim.holder === id || (await isOpen(claim))) return { holder: claim.holder, isNew: false };
      try {
        await this.table.updateEntity(entity, 'Replace', { etag: held.etag ?? '' });
        return { holder: id, isNew: true };
      } catch (error) {
        if (!isConflict(error) && !isGone(error)) throw error;
      }
    }
  }

  private async giveBackOne(rowKey: string, id: string): Promise<void> {
    const held = await this.entityOf(rowKey);
    if (held === undefined || readClaim(held).holder !== id) return;
    try {
      await this.table.deleteEntity(PARTITION, rowKey, { etag: held.etag ?? '' });
    } catch (error) {
      // Somebody else has it by now.
      if (!isConflict(error) && !isGone(error)) throw error;
    }
  }

  private async entityOf(rowKey: string): Promise<Entity | undefined> {
    return await found(this.table.getEntity<Entity>(PARTITION, rowKey));
  }
}

function claimKey(name: string): string {
  return createHash('sha256').update(name).digest('hex');
}

/** A claim that cannot be read is nobody's, and old. */
function readClaim({ migration, claimedAt }: Entity): Claim {
  const since = Date.parse(String(claimedAt));
  return { holder: typeof migration === 'string' ? migration : '', since: Number.isNaN(since) ? 0 : since };
}
