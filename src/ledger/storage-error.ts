import type { TableServiceClientOptions } from '@azure/data-tables';

type Policy = NonNullable<TableServiceClientOptions['additionalPolicies']>[number]['policy'];

/**
 * - away: the app's storage cannot be reached, or has too much to do: it passes
 * - refused: it does not let the app in
 */
export type StorageTrouble = 'away' | 'refused';

const WORDS: Readonly<Record<StorageTrouble, string>> = {
  away: "The app's storage account (AzureWebJobsStorage) does not answer at the moment. Nothing is lost: what runs goes on when it answers.",
  refused:
    "The app's storage account (AzureWebJobsStorage) does not let the app in. Check its key, or that the app's identity is Storage Table Data Contributor and Storage Queue Data Contributor there, and the account's firewall.",
};

/** The app's own tables or queue cannot be used. The message is for people and has no address and no key in it. */
export class StorageError extends Error {
  constructor(
    readonly trouble: StorageTrouble,
    cause: unknown,
  ) {
    super(WORDS[trouble], { cause });
    this.name = 'StorageError';
  }
}

const TOO_MUCH_OR_BROKEN = [408, 429, 500, 502, 503, 504];
const REFUSED = [401, 403];

/** Tells what a storage client threw; what has to do with a single row or message stays as it is. */
export function storageErrorOf(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'RestError') return error;
  const status = 'statusCode' in error ? error.statusCode : undefined;
  if (status === undefined) return new StorageError('away', error);
  if (TOO_MUCH_OR_BROKEN.includes(Number(status))) return new StorageError('away', error);
  return REFUSED.includes(Number(status)) ? new StorageError('refused', error) : error;
}

/** A call of a storage client. @throws StorageError */
export async function onStorage<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw storageErrorOf(error);
  }
}

/** Makes every request of a client tell it so, after its own tries. */
export const storageErrors: Policy = {
  name: 'keyferryStorageErrors',
  sendRequest: (request, next) => onStorage(() => next(request)),
};
