import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { fileSinkOf, keyInPieces } from '../../src/copy/piece-sink';
import type { FilePiece } from '../../src/migration/rows';
import { StoppedError } from '../../src/migration/stop';
import { RangeJob } from '../../src/range/range-job';
import { sideOf } from '../../src/range/range-sides';
import { aMigration, aPlan, aRange } from '../tools/rows';
import { Stage } from '../tools/stage';
import type { TestApp } from '../tools/test-app';

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
  const sink = await fileSinkOf(job as never, app, source as never, { onTarget: (key: Buffer) => key } as never);
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

describe('a key in pieces', () => {
  const LONGEST_MS = 400;
  const block = (bytes: Buffer) => ({ number: 0, length: bytes.length, crc: 0n });
  let app: TestApp;

  beforeAll(async () => {
    const server = await stage.side('redis-7.0');
    await server.client.set('key', Buffer.alloc(12 << 20, 'x'));
    app = await stage.testApp({ OLD: server });
  });

  /** Writes a key while something else has what it must wait for; `waitMs` so long. */
  const write = async (
    { rangeSeconds, waitMs, keepMs }: { rangeSeconds: number; waitMs: number; keepMs: number },
    waitsFor: 'turn' | 'memory' | 'nothing',
  ) => {
    const plan = aPlan();
    const migration = aMigration({ plan: { ...plan, request: { ...plan.request, source: 'OLD' } } });
    const own = { ...app, settings: { ...app.settings, rangeSeconds, checkpointSeconds: 20, bytesInFlight: 1 << 20 } };
    const job = new RangeJob(aRange(0), migration, own);
    const source = sideOf(job, own, 'source', 0, undefined);
    const inPieces = keyInPieces(job, own, source, { failures: 0 }, LONGEST_MS)!;
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const way = { name: 'OLD', database: 0, kind: 'replyTooLong', memory: 'held' } as const;
    const holders =
      waitsFor === 'turn'
        ? await new Promise<Promise<void>[]>((resolve) => {
            let begun = 0;
            const all: Promise<void>[] = Array.from({ length: 4 }, () =>
              app.connections.alone(way, () => {
                if (++begun === 4) resolve(all);
                return held;
              }),
            );
          })
        : [];
    const all = 1 << 30;
    if (waitsFor === 'memory') await app.budget.chunks.take(all);
    setTimeout(() => {
      release();
      if (waitsFor === 'memory') app.budget.chunks.give(all);
    }, waitMs);
    try {
      return await inPieces(Buffer.from('key'), Buffer.from('key'), undefined, async (bytes) => {
        await new Promise((resolve) => setTimeout(resolve, keepMs));
        return block(bytes);
      });
    } finally {
      job.end();
      await Promise.all(holders);
    }
  };

  test.each(['turn', 'memory'] as const)('waits for its %s as long as it takes', async (what) => {
    const waitMs = LONGEST_MS + 100;
    expect(await write({ rangeSeconds: 60, waitMs, keepMs: 0 }, what)).toMatchObject({ kind: 'kept' });
    // The message that it waited in is over: nothing is said of a key that was not read.
    await expect(write({ rangeSeconds: 0.1, waitMs, keepMs: 0 }, what)).rejects.toThrow(StoppedError);
  });

  test('waits for memory without a turn, which those who have memory wait for', async () => {
    const all = 1 << 30;
    await app.budget.chunks.take(all);
    const written = Array.from({ length: 4 }, () => write({ rangeSeconds: 60, waitMs: 0, keepMs: 0 }, 'nothing'));
    await new Promise((resolve) => setTimeout(resolve, 200));
    for (const memory of ['held', 'asked'] as const) {
      const way = { name: 'OLD', database: 0, kind: 'replyTooLong', memory } as const;
      expect(await app.connections.alone(way, ({ connection }) => connection.call('PING'))).toBeDefined();
    }
    app.budget.chunks.give(all);
    await Promise.allSettled(written);
  });

  test('those who wait for memory while they have a turn hold up nobody who has memory', async () => {
    const way = { name: 'OLD', database: 0, kind: 'replyTooLong' } as const;
    let give: () => void = () => undefined;
    const memory = new Promise<void>((resolve) => (give = resolve));
    const asking = Array.from({ length: 8 }, () => app.connections.alone({ ...way, memory: 'asked' }, () => memory));
    await app.connections.alone({ ...way, memory: 'held' }, ({ connection }) => connection.call('PING')).finally(give);
    await Promise.all(asking);
  });

  test('is read in ever smaller chunks where replies are too long for the server', async () => {
    const server = await stage.side('redis-7.0');
    const { client } = server;
    await client.rpush('key', ...Array.from({ length: 5_000 }, (_, i) => i));
    await client.rpush('key', ...Array.from({ length: 1_500 }, () => Buffer.alloc(5_000, 'x')));
    await client.config('SET', 'client-output-buffer-limit', 'normal 1048576 0 0');
    const before = app;
    app = await stage.testApp({ OLD: server });
    jest.spyOn(app.watch, 'get').mockResolvedValue(aMigration());
    try {
      expect(await write({ rangeSeconds: 60, waitMs: 0, keepMs: 0 }, 'nothing')).toMatchObject({ kind: 'kept' });
    } finally {
      app = before;
    }
  });

  test('that takes longer than one may be read is told', async () => {
    expect(await write({ rangeSeconds: 0.3, waitMs: 0, keepMs: LONGEST_MS }, 'turn')).toMatchObject({
      kind: 'failed',
      finding: { code: 'too-large' },
    });
  });
});
