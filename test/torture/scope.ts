import { partsOf, type KeyId } from './journal';
import type { Request } from './scenario';

/** Which keys a migration has to do with, and where each belongs. */
export class Scope {
  constructor(private readonly request: Pick<Request, 'databases' | 'prefixes'>) {}

  /** Where a key of the source belongs on the target; undefined where the migration leaves it out. */
  placeOf(id: KeyId): KeyId | undefined {
    const { database, name } = partsOf(id);
    const to = this.request.databases === undefined ? database : this.request.databases[database];
    return to === undefined || !this.wants(name) ? undefined : `${to}:${name}`;
  }

  /** The key of the source that belongs at this place of the target; undefined where the migration has no business with it. */
  originOf(id: KeyId): KeyId | undefined {
    const { database, name } = partsOf(id);
    if (!this.wants(name)) return undefined;
    if (this.request.databases === undefined) return id;
    const from = Object.entries(this.request.databases).find(([, to]) => to === database)?.[0];
    return from === undefined ? undefined : `${from}:${name}`;
  }

  private wants(name: string): boolean {
    const { prefixes } = this.request;
    return prefixes.length === 0 || prefixes.some((prefix) => name.startsWith(prefix));
  }
}
