import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { fileSinkOf } from '../../src/copy/piece-sink';
import type { FilePiece } from '../../src/migration/rows';
import { aMigration, aPlan, aRange } from '../tools/rows';
import { Stage } from '../tools/stage';

const stage = new Stage();
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'keyferry-piece-'));
});

afterAll(async () => {
  await stage.clear();
  await rm(folder, { recursive: true, force: true });
});

test('a piece is that of the moment in which it is asked for, whatever is appended until it is kept', async () => {
  const old = await stage.side('redis-6.0');
  await Promise.all(Array.from({ length: 100 }, (_, i) => old.client.set(`filler:${i}`, 'x')));
  const app = await stage.testApp({ OLD: old }, { RDB_FILES: pathToFileURL(folder).href });
  const connection = app.connections.get('OLD', 0);
  await connection.ready();
  const plan = aPlan();
  const migration = aMigration({
    plan: { ...plan, request: { ...plan.request, source: 'OLD', target: { rdb: 'FILES', file: 'x.rdb' } } },
  });
  const attached: { cut: (force: boolean) => Promise<FilePiece | undefined> } = {
    cut: () => Promise.resolve(undefined),
  };
  const job = {
    migration,
    row: aRange(0),
    attachPiece: (given: typeof attached.cut) => (attached.cut = given),
    trouble: () => undefined,
    check: () => undefined,
  };
  const source = { connection, attempt: <T>(call: () => Promise<T>) => call() };
  const sink = await fileSinkOf(job as never, app, source as never, { onTarget: (key: Buffer) => key } as never, 0);
  const write = async (name: string) => {
    await old.client.set(name, 'value');
    const payload = (await connection.call('DUMP', name)) as Buffer;
    const keys = [Buffer.from(name)];
    const page = { keys, expiries: [0], payloads: [payload], bytes: payload.length, micros: 0 };
    return await sink.write({ page, counts: {}, claims: [], next: 1n, taken: 0 });
  };

  const first = await write('first');
  const second = await write('second');
  first.moved();
  const cutting = attached.cut(true);
  second.moved();

  expect(await cutting).toMatchObject({ keys: 1 });
  expect(await attached.cut(true)).toMatchObject({ keys: 2 });

  await old.client.flushall();
  await expect(attached.cut(true)).rejects.toThrow('lost so many keys');
  await expect(write('later')).rejects.toThrow('lost so many keys');
});
