import { createHash } from 'node:crypto';
import { lazyAzureCredential } from '../identity/azure-credential';
import { FileError, type FileTrouble } from './file-error';
import type { FileStore, StoredFile } from './file-store';
import type { StoreSettings } from './store-settings';

/** A block may be large, and the way slow. */
const LONGEST_TRY_MS = 120_000;
const TRIES = { maxTries: 3, retryDelayInMs: 200, maxRetryDelayInMs: 2_000, tryTimeoutInMs: LONGEST_TRY_MS };

/** Most migrations need no files, and the library is large. */
const loadLibrary = async () => await import('@azure/storage-blob');

type ContainerClient = InstanceType<Awaited<ReturnType<typeof loadLibrary>>['ContainerClient']>;
type BlockBlobClient = ReturnType<ContainerClient['getBlockBlobClient']>;

type InAzure = Exclude<StoreSettings, { kind: 'folder' }>;

/** Files in a container of Blob storage, as block blobs. Blocks that were never put together are gone after a week. */
export class ContainerStore implements FileStore {
  readonly address: string;
  private readonly name: string;
  private container: Promise<ContainerClient> | undefined;

  constructor(private readonly settings: InAzure) {
    this.name = settings.name;
    this.address = addressOf(settings);
  }

  async find(file: string): Promise<StoredFile | undefined> {
    return await this.onBlob(file, async (blob) => {
      try {
        const { contentLength = 0, etag = '' } = await blob.getProperties();
        return { bytes: contentLength, version: etag };
      } catch (error) {
        // A blob of which there are only blocks yet is not there either. Without a body nothing tells the container's absence.
        if (statusOf(error) !== 404) throw error;
        if (!(await (await this.client()).exists())) throw new FileError('noStore', this.name, error);
        return undefined;
      }
    });
  }

  async read(file: string, version: string, start: number, length: number): Promise<Buffer> {
    return await this.onBlob(file, async (blob) => {
      if (length === 0) return Buffer.alloc(0);
      return await blob.downloadToBuffer(start, length, { conditions: { ifMatch: version } });
    });
  }

  async stage(file: string, writer: string, block: string, bytes: Buffer): Promise<void> {
    await this.onBlob(file, async (blob) => {
      await blob.stageBlock(blockId(writer, block), bytes, bytes.length);
    });
  }

  async commit(file: string, writer: string, blocks: readonly string[], replace: boolean): Promise<void> {
    await this.onBlob(file, async (blob) => {
      const ids = blocks.map((block) => blockId(writer, block));
      await blob.commitBlockList(ids, {
        ...(replace ? {} : { conditions: { ifNoneMatch: '*' } }),
        blobHTTPHeaders: { blobContentType: 'application/octet-stream' },
      });
    });
  }

  async discard(): Promise<void> {
    // Nobody can remove single blocks; the account does after a week.
  }

  private async client(): Promise<ContainerClient> {
    this.container ??= this.open().catch((error: unknown) => {
      this.container = undefined;
      throw error;
    });
    return await this.container;
  }

  private async open(): Promise<ContainerClient> {
    const { BlobServiceClient, ContainerClient } = await loadLibrary();
    const options = { retryOptions: TRIES };
    const { settings } = this;
    if (settings.kind === 'container') {
      const hasSignature = new URL(settings.url).searchParams.has('sig');
      return hasSignature
        ? new ContainerClient(settings.url, undefined, options)
        : new ContainerClient(settings.url, lazyAzureCredential(settings.clientId), options);
    }
    const account = BlobServiceClient.fromConnectionString(settings.connectionString, options);
    return account.getContainerClient(settings.container);
  }

  private async onBlob<T>(file: string, call: (blob: BlockBlobClient) => Promise<T>): Promise<T> {
    try {
      return await call((await this.client()).getBlockBlobClient(file));
    } catch (error) {
      if (error instanceof FileError) throw error;
      throw new FileError(troubleOf(error), `${this.name}/${file}`, error);
    }
  }
}

/** Of two writers to one name, the blocks of one that comes late must not be taken for the other's. At most 64 bytes. */
function blockId(writer: string, block: string): string {
  const own = createHash('sha256').update(writer).digest('hex').slice(0, 16);
  return Buffer.from(`${own}-${block}`, 'latin1').toString('base64');
}

function addressOf(settings: InAzure): string {
  if (settings.kind === 'container') {
    const url = new URL(settings.url);
    return `${url.origin}${url.pathname.replace(/\/+$/, '')}`.toLowerCase();
  }
  const field = (name: string) =>
    new RegExp(`(?:^|;)\\s*${name}\\s*=\\s*([^;]*)`, 'i').exec(settings.connectionString)?.[1];
  const suffix = field('EndpointSuffix') ?? 'core.windows.net';
  const account = field('BlobEndpoint') ?? `https://${field('AccountName') ?? 'devstoreaccount1'}.blob.${suffix}`;
  return `${account.replace(/\/+$/, '')}/${settings.container}`.toLowerCase();
}

function statusOf(error: unknown): number | undefined {
  return typeof error === 'object' && error !== null && 'statusCode' in error ? Number(error.statusCode) : undefined;
}

function troubleOf(error: unknown): FileTrouble {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  if (code === 'ContainerNotFound') return 'noStore';
  const status = statusOf(error);
  switch (status) {
    case 401:
    case 403:
      return 'refused';
    case 404:
      return 'noFile';
    case 409:
      return code === 'BlobAlreadyExists' ? 'exists' : 'notTaken';
    case 412:
      return code === 'ConditionNotMet' ? 'changed' : 'notTaken';
    case 400:
      return code === 'InvalidBlockList' ? 'blocksGone' : 'notTaken';
    case 416:
      return 'changed';
    default:
      return status === undefined || status === 408 || status === 429 || status >= 500 ? 'away' : 'notTaken';
  }
}
