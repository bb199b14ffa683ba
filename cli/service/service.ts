import type { ApiClient } from '../client/api-client';

/** An app that carries out migrations: deployed, in another process, or in this one. */
export interface Service {
  readonly client: ApiClient;
  /** Where it is: this decides how often it is asked, and what an interruption means. */
  readonly place: 'deployed' | 'other-process' | 'here';
  /** Ends it if it runs here. */
  close(): Promise<void>;
}
