import type { TableClient } from '@azure/data-tables';
import { isAhead } from '../lock-time';

/**
 * How long a timer belongs to the host that has it, unless that renews it; and how often each host renews its own or looks
 * whether another one's has run out. Source: Azure/azure-webjobs-sdk, SingletonOptions (ListenerLockPeriod,
 * ListenerLockRecoveryPollingInterval).
 */
const LOCK_MS = 60_000;
const RENEW_MS = 20_000;
const LOOK_MS = 60_000;

interface Row {
  readonly owner?: unknown;
  readonly lockedUntil?: unknown;
}

/** A timer fires on one of several hosts: the one that holds its lock. */
export class TimerLock {
  /** By the monotonic clock: the machine's may be set back. */
  private heldUntil = Number.NEGATIVE_INFINITY;
  private timer: NodeJS.Timeout | undefined;
  private ended = false;

  constructor(
    private readonly table: TableClient,
    private readonly name: string,
    private readonly host: string,
  ) {}

  get isHeld(): boolean {
    return performance.now() < this.heldUntil;
  }

  /** Takes the lock if it is free, and looks after it from then on. */
  async begin(): Promise<void> {
    await this.take();
    if (this.ended) return;
    this.timer = setTimeout(() => void this.begin(), this.isHeld ? RENEW_MS : LOOK_MS);
    this.timer.unref();
  }

  /** Lets the next host have it. */
  async end(): Promise<void> {
    this.ended = true;
    clearTimeout(this.timer);
    if (this.isHeld) await this.table.deleteEntity('timer', this.name).catch(() => undefined);
    this.heldUntil = Number.NEGATIVE_INFINITY;
  }

  private async take(): Promise<void> {
    const until = performance.now() + LOCK_MS;
    const row = {
      partitionKey: 'timer',
      rowKey: this.name,
      owner: this.host,
      lockedUntil: new Date(Date.now() + LOCK_MS).toISOString(),
    };
    try {
      const known = await this.table.getEntity<Row>('timer', this.name).catch(() => undefined);
      if (known === undefined) await this.table.createEntity(row);
      else if (known.owner === this.host || !isAhead(Date.parse(String(known.lockedUntil)), LOCK_MS)) {
        await this.table.updateEntity(row, 'Replace', { etag: known.etag });
      } else return;
      this.heldUntil = until;
    } catch {
      // Another host was faster, or storage is away: it is looked for again.
    }
  }
}
