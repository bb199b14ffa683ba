import type { TableClient } from '@azure/data-tables';
import type { InvocationContext } from '@azure/functions';
import { answering } from '../../functions/shared/http-answer';
import { CLOSED_PORT } from '../../local/servers/free-port';
import { Ledger } from '../../src/ledger/ledger';
import { RangeQueue } from '../../src/ledger/range-queue';
import { storageClients } from '../../src/ledger/storage-clients';
import { StorageError } from '../../src/ledger/storage-error';
import { startTestStorage, type TestStorage } from '../tools/test-storage';

const message = { migration: 'm-1', range: 'copy-00000' };

describe('storage', () => {
  let storage: TestStorage;
  beforeAll(async () => {
    storage = await startTestStorage();
  });
  afterAll(async () => {
    await storage.close();
  });

  const setting = (text: string) => storageClients({ AzureWebJobsStorage: text });
  const failure = async (call: Promise<unknown>): Promise<unknown> => await call.catch((error: unknown) => error);

  it('that is there tells what is not in it by no error', async () => {
    const ledger = new Ledger(setting(storage.connectionString));
    await ledger.ensure();
    expect(await ledger.migrations.get('none')).toBeUndefined();
  });

  it('that nothing listens for is said to be away, by tables and by the queue', async () => {
    const clients = setting(storage.connectionString.replaceAll(/127\.0\.0\.1:\d+/g, `127.0.0.1:${CLOSED_PORT}`));
    const [tables, queue] = await Promise.all([
      failure(new Ledger(clients).migrations.get('m-1')),
      failure(new RangeQueue(clients).send([message])),
    ]);
    for (const error of [tables, queue]) {
      expect(error).toBeInstanceOf(StorageError);
      expect(error).toMatchObject({ trouble: 'away' });
      expect((error as Error).message).not.toMatch(/127\.0\.0\.1|ECONN/);
      expect((error as Error).cause).toMatchObject({ code: 'ECONNREFUSED' });
    }
  });

  it('that does not take the key is said to refuse', async () => {
    const clients = setting(storage.connectionString.replace(/AccountKey=[^;]+/, 'AccountKey=d3Jvbmc='));
    const [tables, queue] = await Promise.all([
      failure(new Ledger(clients).migrations.get('m-1')),
      failure(new RangeQueue(clients).send([message])),
    ]);
    for (const error of [tables, queue]) expect(error).toMatchObject({ name: 'StorageError', trouble: 'refused' });
  });

  it('that lacks a row, or has another one, throws what the client throws', async () => {
    const { table } = setting(storage.connectionString);
    const client: TableClient = table('rows');
    await client.createTable();
    await client.createEntity({ partitionKey: 'a', rowKey: 'b' });
    expect(await failure(client.getEntity('a', 'none'))).toMatchObject({ name: 'RestError', statusCode: 404 });
    expect(await failure(client.createEntity({ partitionKey: 'a', rowKey: 'b' }))).toMatchObject({ statusCode: 409 });
  });

  it('is answered by 503, with words and the time to try again', async () => {
    const warn = jest.fn();
    const clients = setting(storage.connectionString.replaceAll(/127\.0\.0\.1:\d+/g, `127.0.0.1:${CLOSED_PORT}`));
    const answer = await answering({ warn } as unknown as InvocationContext, async () => {
      await new Ledger(clients).migrations.get('m-1');
      return { status: 200 };
    });
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
    expect(JSON.parse(answer.body as string)).toEqual({
      error: { code: 'storageUnavailable', message: expect.stringMatching(/does not answer/) as string, details: [] },
    });
    expect(warn).toHaveBeenCalled();
  });
});
