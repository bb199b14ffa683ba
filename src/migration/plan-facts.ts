import type { PlannedConversion } from '../convert/conversion-facts';
import type { ServerFacts } from '../redis/probe';
import type { FeedKind } from '../redis/feed-connection';
import type { CommandName } from '../redis/rights';
import type { DatabaseChoice } from './choose-databases';
import type { Plan } from './plan';
import type { MigrationRequest } from './request';

/** Where the connections of both sides lead, as "host:port". */
export interface Addresses {
  readonly source: string;
  readonly target: string;
}

/** What is known once both sides have told of themselves, before either was tried. */
export interface ToldFacts {
  readonly request: MigrationRequest;
  readonly source: ServerFacts;
  readonly target: ServerFacts;
  readonly choices: readonly DatabaseChoice[];
  readonly addresses?: Addresses;
  /** The run ids of the processes that connections to each side, opened at the same time, led to; one of each cluster. */
  readonly processes?: { readonly source: readonly string[]; readonly target: readonly string[] };
}

/** What a server tells of its memory. */
export type MemoryFacts = Pick<ServerFacts, 'maxMemory' | 'usedMemory' | 'evictionPolicy'>;

/** What is known of the users' rights, before what they are needed for is tried. */
export interface RightFacts extends ToldFacts {
  /** Commands that are asked for and that a side refuses its user. */
  readonly refused: { readonly source: readonly CommandName[]; readonly target: readonly CommandName[] };
  /** Of them, those that a side does not have. */
  readonly unknown?: { readonly source: readonly CommandName[]; readonly target: readonly CommandName[] };
  /** Globs of keys that a side's user may not touch and that the migration would. */
  readonly keysRefused: { readonly source: readonly string[]; readonly target: readonly string[] };
}

/** What is known once both sides were tried: all that decides whether a migration may start. */
export interface TriedFacts extends RightFacts {
  readonly source: Plan['source'];
  readonly target: Plan['target'];
  /** Chosen databases that a side does not have. */
  readonly missing: { readonly source: readonly number[]; readonly target: readonly number[] };
  /** How far the clocks of a cluster's nodes are apart, ms. */
  readonly clockSpread?: { readonly source: number; readonly target: number } | undefined;
  /** Where the source is to be followed: by which feeds it tells what changes, or why by none. */
  readonly feeds?: readonly FeedKind[] | undefined;
  readonly feedRefused?: string | undefined;
  /** What each server of the source tells then: of a cluster each master by itself. */
  readonly sourceServers?: readonly (MemoryFacts & Pick<ServerFacts, 'databases'>)[] | undefined;
  /** A side's words where it refuses the scripts of a conversion. */
  readonly scriptsRefused: { readonly source?: string | undefined; readonly target?: string | undefined };
}

/** All that a plan is made of. */
export interface PlanFacts extends TriedFacts {
  /** The request named none, and the connections end in these. */
  readonly databasesByConnection?: boolean;
  readonly conversions?: readonly PlannedConversion[];
  /** The migration that writes to the source. */
  readonly writerOfSource?: string | undefined;
}
