import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readLocalSettings, resolveSettings } from '../../local/app-settings';
import { joinText, splitText } from '../../local/durable/chunked-text';
import { lockFolder } from '../../local/folder-lock';
import { parseHostJson, parseTimeSpan } from '../../local/host-json';
import { formatCookie } from '../../local/http/http-response';
import { toRouterPath } from '../../local/http/http-server';
import { withoutProxyForLoopback } from '../../local/loopback';
import { decodeMessage, encodeMessage } from '../../local/queue/queue-message';
import { Waker } from '../../local/queue/waker';
import { type RunningTimer, startTimer } from '../../local/timer/timer-listener';

const newFolder = async () => mkdtemp(path.join(tmpdir(), 'keyferry-parts-'));

describe('the proxy of the environment', () => {
  test('is not for this machine itself', () => {
    expect(withoutProxyForLoopback({})).toEqual({
      NO_PROXY: '127.0.0.1,localhost,[::1],::1',
      no_proxy: '127.0.0.1,localhost,[::1],::1',
    });
  });

  test('stays as it is for all that was named before', () => {
    const { NO_PROXY, no_proxy } = withoutProxyForLoopback({
      NO_PROXY: 'a.example, localhost',
      no_proxy: '.b.example,',
    });
    expect(NO_PROXY).toBe('a.example,localhost,.b.example,127.0.0.1,[::1],::1');
    expect(no_proxy).toBe(NO_PROXY);
  });
});

describe('local.settings.json', () => {
  const read = async (text: string) => {
    const folder = await newFolder();
    await writeFile(path.join(folder, 'local.settings.json'), text);
    return await readLocalSettings(folder);
  };

  test('is read as Visual Studio writes it: byte order mark, line ends of Windows, comments, commas at the end', async () => {
    const text =
      '\uFEFF{\r\n  // The old cache\r\n  "IsEncrypted": false,\r\n  "Values": {\r\n    "REDIS_OLD": "redis://a//b", /* why */\r\n    "N": 1,\r\n  },\r\n}\r\n';
    expect(await read(text)).toEqual({ REDIS_OLD: 'redis://a//b', N: '1' });
  });

  test.each([
    ['{ "Values": {\n "A": "x"\n "B": "y" } }', /not JSON: CommaExpected in line 3/],
    ['', /not JSON: ValueExpected in line 1/],
    ['[]', /an object with an object "Values"/],
    ['{ "Values": [] }', /an object with an object "Values"/],
    ['{ "Values": { "A": {} } }', /the value of A must be a text/],
  ])('%s is told to be wrong, and where', async (text, message) => {
    await expect(read(text)).rejects.toThrow(message);
  });

  test('may have no values', async () => {
    expect(await read('{}')).toEqual({});
  });
});

describe('host.json', () => {
  test('has the defaults of the Functions host', () => {
    expect(parseHostJson({})).toEqual({
      routePrefix: 'api',
      functionTimeoutMs: undefined,
      queues: {
        batchSize: 16,
        newBatchThreshold: 8,
        maxDequeueCount: 5,
        maxPollingIntervalMs: 60_000,
        visibilityTimeoutMs: 0,
        messageEncoding: 'base64',
      },
      durable: { hubName: 'TestHubName' },
    });
  });

  test('gives way to settings, whose names are told apart by no case', () => {
    const json = { Extensions: { queues: { batchSize: 4, maxDequeueCount: 3, visibilityTimeout: '00:00:05' } } };
    const settings = {
      AzureFunctionsJobHost__extensions__queues__maxDequeueCount: '2',
      azurefunctionsjobhost__Extensions__QUEUES__MaxPollingInterval: '00:00:00.2',
      'AzureFunctionsJobHost:extensions:queues:visibilityTimeout': '00:00:01',
      AzureFunctionsJobHost__functionTimeout: '-1',
      AzureFunctionsJobHost__extensions__durableTask__hubName: 'Other',
      AzureFunctionsJobHost: 'nothing',
      other__extensions__queues__batchSize: '1',
    };
    expect(parseHostJson(json, settings)).toEqual({
      routePrefix: 'api',
      functionTimeoutMs: undefined,
      queues: {
        batchSize: 4,
        newBatchThreshold: 2,
        maxDequeueCount: 2,
        maxPollingIntervalMs: 200,
        visibilityTimeoutMs: 1_000,
        messageEncoding: 'base64',
      },
      durable: { hubName: 'Other' },
    });
    expect(parseHostJson(json).queues.visibilityTimeoutMs).toBe(5_000);
  });

  test.each([
    ['batchSize', '0', 'extensions:queues:batchSize: Not a whole number from 1: 0'],
    ['batchSize', '4.5', 'extensions:queues:batchSize: Not a whole number from 1: 4.5'],
    ['visibilityTimeout', '5', 'extensions:queues:visibilityTimeout: Not a time span (hh:mm:ss): 5'],
  ])('refuses a setting of %s that is none', (name, value, message) => {
    expect(() => parseHostJson({}, { [`AzureFunctionsJobHost__extensions__queues__${name}`]: value })).toThrow(message);
  });

  test.each([
    ['00:00:01', 1000],
    ['00:00:00.250', 250],
    ['1.02:03:04', 93_784_000],
  ])('reads the time span %s', (text, ms) => {
    expect(parseTimeSpan(text)).toBe(ms);
  });

  test('refuses what is no time span', () => {
    expect(() => parseTimeSpan('5 minutes')).toThrow('hh:mm:ss');
  });
});

describe('settings', () => {
  test('come from the Values of local.settings.json', async () => {
    const folder = await newFolder();
    expect(await readLocalSettings(folder)).toEqual({});
    await writeFile(path.join(folder, 'local.settings.json'), '{"Values":{"A":"x","B":2}}');
    expect(await readLocalSettings(folder)).toEqual({ A: 'x', B: '2' });
  });

  test('are put into bindings', () => {
    expect(resolveSettings('%HUB%-ranges', { HUB: 'a' })).toBe('a-ranges');
    expect(() => resolveSettings('%NONE%', {})).toThrow('NONE');
  });
});

test.each([
  ['migrations/{id}', '/api/migrations/:id'],
  ['migrations/{id?}', '/api/migrations/:id?'],
  ['pages/{n:int}', '/api/pages/:n(^\\d+$)'],
  ['files/{*rest}', '/api/files/*'],
])('the route %s is %s for the router', (route, expected) => {
  expect(toRouterPath('api', route)).toBe(expected);
});

test('a cookie is written with its attributes', () => {
  expect(
    formatCookie({ name: 'a', value: 'b c', maxAge: { value: 5 }, httpOnly: { value: true }, sameSite: 'lax' }),
  ).toBe('a=b%20c; Max-Age=5; HttpOnly; SameSite=Lax');
});

test('a message is decoded strictly', () => {
  expect(decodeMessage(encodeMessage('{"ü":1}', 'base64'), 'base64')).toBe('{"ü":1}');
  expect(decodeMessage('{"a":1}', 'base64')).toBeUndefined();
  expect(decodeMessage('{"a":1}', 'none')).toBe('{"a":1}');
});

test.each([0, 1, 30_000, 30_001, 100_000])('a text of %i characters is kept in pieces', (length) => {
  const text = 'ü'.repeat(length);
  const pieces = splitText('body', text);
  expect(Math.max(...Object.values(pieces).map((piece) => piece.length))).toBeLessThanOrEqual(32_768);
  expect(joinText(pieces, 'body')).toBe(text);
});

test('no text is kept as none', () => {
  expect(joinText(splitText('body', null), 'body')).toBeNull();
});

describe('a pause', () => {
  test('ends after its time', async () => {
    expect(await new Waker().wait(5)).toBe(false);
  });

  test('is cut short, also by what came before it', async () => {
    const waker = new Waker();
    const waiting = waker.wait(10_000);
    waker.wake(5);
    expect(await waiting).toBe(true);
    waker.wake();
    expect(await waker.wait(10_000)).toBe(true);
    expect(await waker.wait(5)).toBe(false);
  });

  test('ends for good', async () => {
    const waker = new Waker();
    const waiting = waker.wait(10_000);
    waker.close();
    expect(await waiting).toBe(false);
    expect(await waker.wait(10_000)).toBe(false);
  });
});

test('a schedule has six fields, in UTC', () => {
  const timer = startTimer('0 30 4 * * *', () => Promise.resolve());
  expect(timer.next()?.toISOString()).toMatch(/T04:30:00.000Z$/);
  timer.stop();
  expect(() => startTimer('30 4 * * *', () => Promise.resolve())).toThrow('six fields');
});

describe('a timer fires by its own clock', () => {
  test.each(['* * * * * *', '00:00:01'])('of the schedule %s', async (schedule) => {
    const fired: number[] = [];
    let timer: RunningTimer | undefined;
    await new Promise<void>((resolve) => {
      timer = startTimer(schedule, () => {
        if (fired.push(Date.now()) === 2) resolve();
        return Promise.resolve();
      });
    });
    const next = timer?.next()?.getTime();
    timer?.stop();
    expect(Number(fired[1]) - Number(fired[0])).toBeGreaterThan(500);
    expect(next).toBeGreaterThan(Number(fired[1]));
  });

  test('and not while its last run goes on', async () => {
    let runs = 0;
    let end: () => void = () => undefined;
    const timers = ['* * * * * *', '00:00:01'].map((schedule) =>
      startTimer(schedule, async () => {
        runs++;
        await new Promise<void>((resolve) => {
          const before = end;
          end = () => {
            before();
            resolve();
          };
        });
      }),
    );
    await sleep(3_500);
    for (const timer of timers) timer.stop();
    end();
    expect(runs).toBe(2);
  });
});

test('a folder is used by one process at a time', async () => {
  const folder = await newFolder();
  const unlock = await lockFolder(folder);
  await expect(lockFolder(folder)).rejects.toThrow(`process ${process.pid}`);
  await unlock();
  await writeFile(path.join(folder, 'host.lock'), '{"pid":1,"identity":"somebody else"}');
  await (
    await lockFolder(folder)
  )();
});

test.each(['', '{"pid":1,"identity":"somebody else"}'])(
  'of many that want it at once one has it (left: %p)',
  async (left) => {
    for (let round = 0; round < 20; round++) {
      const folder = await newFolder();
      if (left !== '') await writeFile(path.join(folder, 'host.lock'), left);
      const all = await Promise.allSettled(Array.from({ length: 6 }, () => lockFolder(folder)));
      expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(JSON.parse(await readFile(path.join(folder, 'host.lock'), 'utf8'))).toMatchObject({ pid: process.pid });
    }
  },
);
