import type { TableClient } from '@azure/data-tables';
import { Findings } from './findings';
import { LiveRows } from './live-rows';
import { MigrationRows } from './migration-rows';
import { PagePlaces } from './page-places';
import { RangeRows } from './range-rows';
import { SeenRanges } from './seen-ranges';
import { Snapshots } from './snapshots';
import type { StorageClients } from './storage-clients';
import { Surveys } from './surveys';
import { TargetClaims } from './target-claims';

/** What is kept in Table storage, by what it is for. */
export class Ledger {
  readonly migrations: MigrationRows;
  readonly targets: TargetClaims;
  readonly snapshots: Snapshots;
  readonly live: LiveRows;
  readonly ranges: RangeRows;
  readonly seenRanges: SeenRanges;
  readonly surveys: Surveys;
  readonly pagePlaces: PagePlaces;
  readonly findings: Findings;
  private readonly tables: readonly TableClient[];
  private readonly clock: StorageClients['clock'];
  private ready: Promise<void> | undefined;

  constructor(clients: StorageClients) {
    this.clock = clients.clock;
    const migrations = clients.table('KeyferryMigrations');
    const ranges = clients.table('KeyferryRanges');
    const findings = clients.table('KeyferryFindings');
    this.tables = [migrations, ranges, findings];
    this.migrations = new MigrationRows(migrations, () => this.time());
    this.targets = new TargetClaims(migrations, () => this.time());
    this.snapshots = new Snapshots(migrations);
    this.live = new LiveRows(migrations);
    this.ranges = new RangeRows(ranges);
    this.seenRanges = new SeenRanges(this.ranges, () => this.now());
    this.surveys = new Surveys(ranges);
    this.pagePlaces = new PagePlaces(ranges);
    this.findings = new Findings(findings, this.ranges);
  }

  /** The time by the storage's clock, ms since 1970: for all that is written down and compared by other instances. */
  now(): number {
    return this.clock.now();
  }

  /** The same in ISO 8601. */
  time(): string {
    return new Date(this.now()).toISOString();
  }

  /** Creates the tables where they are not there. */
  async ensure(): Promise<void> {
    this.ready ??= Promise.all(this.tables.map((table) => table.createTable()))
      .then(() => undefined)
      .catch((error: unknown) => {
        this.ready = undefined;
        throw error;
      });
    await this.ready;
  }
}
