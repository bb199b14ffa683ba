import type { ConversionFacts } from '../convert/conversion-facts';
import type { RightFacts, ToldFacts } from '../migration/plan-facts';
import type { MigrationRequest } from '../migration/request';
import type { ServerFacts, SourceAbilities } from '../redis/probe';
import type { RefusedCommands } from '../redis/rights';
import type { Touchable } from './touchable-keys';

/** One side of a migration that is being planned, as it is asked and tried. */
export interface PlanSide<Abilities> {
  /** The database that its connection ends in, where it does. */
  readonly database: number | undefined;
  /** Where it is, as "host:port" or so. */
  readonly address: string;
  /** @param source what the source tells, for what is made after it */
  told(source?: Promise<ServerFacts>): Promise<ServerFacts>;
  /** The run ids of the processes that connections opened at the same time led to; one of each cluster. */
  met(): Promise<readonly string[]>;
  /** The keys that its user may touch. */
  touch(told: ToldFacts): Promise<Touchable>;
  /** Commands that are asked for and that its user may not call. */
  refused(told: ToldFacts, keys: Touchable): Promise<RefusedCommands>;
  /**
   * What it can do.
   * @param source what the source can do, for what is made after it
   */
  abilities(facts: RightFacts, keys: Touchable, source?: Promise<SourceAbilities>): Promise<Abilities>;
  /** Those of these databases that it does not have. */
  missing(databases: ReadonlySet<number>): Promise<readonly number[]>;
  /** How far the clocks of its nodes are apart, ms. */
  clockSpread(): Promise<number>;
  /** What the conversions of the request find in these databases, once it has told; missing where they must ask for it. */
  conversionFacts?(databases: readonly number[]): readonly ConversionFacts[];
  /** Its words where it refuses the scripts of a conversion. */
  scriptRefusal(request: MigrationRequest, keys: Touchable): Promise<string | undefined>;
}
