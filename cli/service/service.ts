import type { MigrationReport } from '../../src/migration/report';
import type { ApiClient } from '../client/api-client';

/** An app that carries out migrations: deployed, in another process, or in this one. */
export interface Service {
  readonly client: ApiClient;
  /** Where it is: this decides how often it is asked, and what an interruption means. */
  readonly place: 'deployed' | 'other-process' | 'here';
  /**
   * For an app that may be gone for good: the last document of one in another process, where it does not answer any more
   * because its migration has come to its end.
   * @throws TroubleError where the app, or its storage, is gone and the migration had not come to its end
   */
  readonly lastWords?: () => Promise<MigrationReport | undefined>;
  /** Ends it if it runs here. */
  close(): Promise<void>;
}
