import type { SideName } from '../migration/phases';

/** One thing that a migration would use, as it was found on the user's own servers. */
export interface Used {
  /** Undefined for what has to do with both. */
  readonly side?: SideName;
  readonly about:
    | 'server'
    | 'connection'
    | 'nodes'
    | 'clients'
    | 'databases'
    | 'memory'
    | 'scripts'
    | 'reading'
    | 'writing'
    | 'clocks'
    | 'changes';
  readonly says: string;
}

/** What stands in the way, with what to do. */
export interface Missing {
  readonly side?: SideName;
  /** Of a refusal, or the kind of an error of a connection. */
  readonly code: string;
  readonly message: string;
}

/** What was found by trying, without writing anything. No addresses but those of nodes, no secrets. */
export interface Diagnosis {
  /** A copy as asked would begin. */
  readonly possible: boolean;
  readonly uses: readonly Used[];
  /** What keeps a copy from beginning. */
  readonly missing: readonly Missing[];
  /** What a copy would be told in its report: what is lost or slower. */
  readonly warnings: readonly string[];
  /** What keeps other modes from beginning where a copy begins. */
  readonly otherModes: readonly { readonly mode: 'compare' | 'live'; readonly missing: readonly Missing[] }[];
  /** What cannot be tried without writing. */
  readonly untried: readonly string[];
}
