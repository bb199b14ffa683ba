import { z } from 'zod';
import type { PlannedConversion } from '../convert/conversion-facts';
import type { FeedKind } from '../redis/feed-connection';
import type { ServerFacts, SourceAbilities, TargetAbilities } from '../redis/probe';
import type { DocumentOf } from './document';
import type { MigrationRequest } from './request';
import type { Phase } from './phases';
import type { Transport } from './transport';

/** A database to be walked. */
export interface WalkedDatabase {
  readonly database: number;
  /** Keys when planned; undefined where the server did not tell. */
  readonly keys?: number | undefined;
  /** Split into 2^bits ranges. */
  readonly bits: number;
}

/** One database to be copied. */
export interface DatabasePlan extends WalkedDatabase {
  readonly targetDatabase: number;
  /** Put in front of every key name; empty for none. */
  readonly prefix: string;
  /** The target has no such database. Only in a dry run, which tells it; all else is refused then. */
  readonly missingOnTarget?: true;
}

/** What was decided before the first key moved. Kept whole in the plan row. */
export interface Plan {
  readonly request: MigrationRequest;
  readonly source: ServerFacts & { readonly abilities: SourceAbilities };
  readonly target: ServerFacts & { readonly abilities: TargetAbilities };
  readonly databases: readonly DatabasePlan[];
  /** The target's databases that are walked for extra keys, in the modes that do. */
  readonly targetDatabases?: readonly WalkedDatabase[];
  /** What is walked, in this order; some may be left out. */
  readonly phases: readonly Phase[];
  /** Where the source is followed: how it tells which keys change, the first to be tried first. */
  readonly feeds?: readonly FeedKind[] | undefined;
  /** Source and target are one server: keys are converted where they are, and nothing is copied. */
  readonly inPlace: boolean;
  readonly transport: Transport;
  /** What each converter of the request found, in the request's order. */
  readonly conversions: readonly PlannedConversion[];
  /** Keys in the target's databases that are written to, when planned; undefined where it did not tell. */
  readonly targetKeysAtStart?: number | undefined;
  readonly warnings: readonly string[];
  /** What a copy would be refused for; only in a dry run, which tells it instead. */
  readonly obstacles?: readonly Obstacle[];
}

export const obstacleSchema = z.strictObject({ code: z.string(), message: z.string() });

/** Why a copy would be refused: `code` is for programs, the message says what to do. */
export type Obstacle = DocumentOf<typeof obstacleSchema>;
