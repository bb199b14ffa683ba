import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BlobServiceClient } from '@azure/storage-blob';
import { ContainerStore } from '../../src/files/container-store';
import type { FileStore } from '../../src/files/file-store';
import { FolderStore } from '../../src/files/folder-store';
import { readInOrder } from '../../src/files/read-in-order';
import { startTestStorage, type TestStorage } from '../tools/test-storage';

let storage: TestStorage;
let folder: string;
const stores: Record<string, FileStore> = {};
/** Puts a file there as anybody may. */
const put: Record<string, (file: string, bytes: Buffer) => Promise<unknown>> = {};

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'keyferry-stores-'));
  storage = await startTestStorage();
  const { connectionString } = storage;
  const container = BlobServiceClient.fromConnectionString(connectionString).getContainerClient('files');
  await container.create();
  stores.folder = new FolderStore('FILES', folder);
  stores.container = new ContainerStore({ kind: 'account', name: 'FILES', connectionString, container: 'files' });
  put.folder = (file, bytes) => writeFile(path.join(folder, file), bytes);
  put.container = (file, bytes) => container.getBlockBlobClient(file).uploadData(bytes);
}, 60_000);
afterAll(async () => {
  await storage.close();
  await rm(folder, { recursive: true, force: true });
});

describe.each(['folder', 'container'])('files in a %s', (kind) => {
  const store = () => stores[kind]!;
  const contentOf = async (file: string) => {
    const { version, bytes } = (await store().find(file))!;
    return (await store().read(file, version, 0, bytes)).toString();
  };

  it('come to be of their own blocks, in the order that is asked for, once', async () => {
    for (const writer of ['one', 'other']) {
      for (const block of ['1', '2']) await store().stage('whole', writer, block, Buffer.from(`${writer}${block} `));
    }
    await store().stage('whole', 'one', '2', Buffer.from('again '));
    expect(await store().find('whole')).toBeUndefined();
    await store().commit('whole', 'one', ['2', '1'], false);
    expect(await contentOf('whole')).toBe('again one1 ');
    await expect(store().commit('whole', 'other', ['1', '2'], false)).rejects.toMatchObject({
      trouble: expect.stringMatching(/^(exists|blocksGone)$/) as string,
    });
    expect(await contentOf('whole')).toBe('again one1 ');
  });

  it('do not come to be of blocks that are gone, and that is told as such', async () => {
    await store().stage('lacking', 'writer', '1', Buffer.from('here'));
    await expect(store().commit('lacking', 'writer', ['1', '2'], true)).rejects.toMatchObject({
      trouble: 'blocksGone',
    });
    await expect(store().commit('lacking', 'nobody', ['1'], true)).rejects.toMatchObject({ trouble: 'blocksGone' });
    expect(await store().find('lacking')).toBeUndefined();
  });

  it('are read only as the version that was found', async () => {
    await put[kind]!('changing', Buffer.from('as it was'));
    const { version } = (await store().find('changing'))!;
    expect((await store().read('changing', version, 3, 6)).toString()).toBe('it was');
    await new Promise((resolve) => setTimeout(resolve, 20));
    await put[kind]!('changing', Buffer.from('as it is!'));
    await expect(store().read('changing', version, 0, 9)).rejects.toMatchObject({ trouble: 'changed' });
  });

  it('give all bytes that are asked for, or none', async () => {
    await put[kind]!('short', Buffer.from('0123456789'));
    const { version } = (await store().find('short'))!;
    await expect(store().read('short', version, 5, 6)).rejects.toThrow();
    await expect(store().read('short', version, 10, 1)).rejects.toThrow();
    expect(await store().read('short', version, 10, 0)).toHaveLength(0);
  });
});

it('a folder keeps its files apart from what is not whole yet', async () => {
  await stores.folder!.stage('sub/file', 'writer', '1', Buffer.from('x'));
  await stores.folder!.commit('sub/file', 'writer', ['1'], false);
  expect(await readdir(path.join(folder, 'sub'))).toEqual(['file']);
  const { version } = (await stores.folder!.find('sub/file'))!;
  await truncate(path.join(folder, 'sub/file'));
  await expect(stores.folder!.read('sub/file', version, 0, 1)).rejects.toMatchObject({ trouble: 'changed' });
});

it('a folder is no file, to be read or written', async () => {
  await stores.folder!.stage('within/file', 'writer', '1', Buffer.from('x'));
  await stores.folder!.commit('within/file', 'writer', ['1'], false);
  await expect(stores.folder!.find('within')).rejects.toMatchObject({ trouble: 'isFolder' });
});

it('a store that gives fewer bytes than it has is told, and never taken for a damaged file', async () => {
  const read = (_: string, __: string, start: number, length: number) =>
    Promise.resolve(Buffer.alloc(start === 20 ? length - 1 : length));
  const pieces: number[] = [];
  const reading = (async () => {
    for await (const piece of readInOrder({ read }, 'file', 'version', 45, 10)) pieces.push(piece.length);
  })();
  await expect(reading).rejects.toMatchObject({ trouble: 'broken' });
  expect(pieces).toEqual([10, 10]);
});
