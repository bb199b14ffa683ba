import { readdirSync, readFileSync } from 'node:fs';
import { report, runScript, startScript, ToldApp } from './support/script';
import { UNSAFE } from '../tools/unsafe-characters';

const KEY = 'k"e\\y==/+';
const names = ['--source', 'OLD', '--target', 'NEW'];
const started = { status: 202, body: { id: 'm1', state: 'planned', statusUrl: 'http://elsewhere.example/' } };

let app: ToldApp;
afterEach(async () => {
  await app.close();
});

test('the key goes in the header, and is in no argument of any process', async () => {
  let arguments_ = '';
  app = await ToldApp.start(({ method }) => {
    if (method === 'POST') return started;
    arguments_ += allArguments();
    return { status: 200, body: report('completed') };
  });
  const { code } = await runScript(['--url', app.url, ...names], { KEYFERRY_KEY: KEY, KEYFERRY_TOKEN: 'ey.j' });
  expect(code).toBe(0);
  for (const { url, headers } of app.seen) {
    expect(headers['x-functions-key']).toBe(KEY);
    expect(headers.authorization).toBe('Bearer ey.j');
    expect(url).not.toContain('code=');
  }
  expect(arguments_).toContain('curl');
  expect(arguments_).not.toContain('ey.j');
  expect(arguments_).not.toContain(KEY);
});

test('it asks again when the app says', async () => {
  app = await ToldApp.start(({ method }, number) => {
    if (method === 'POST') return started;
    return number < 3
      ? { status: 200, body: report('running'), headers: { 'retry-after': '3' } }
      : { status: 200, body: report('completed') };
  });
  expect((await runScript(['--url', app.url, ...names])).code).toBe(0);
  const [, second, third] = app.seen;
  const waited = third!.at - second!.at;
  // Without being told it asks again after 2 s.
  expect(waited).toBeGreaterThanOrEqual(3_000);
});

test('it survives an app that restarts, and starts nothing twice', async () => {
  app = await ToldApp.start((_request, number) => {
    const answers = [
      { status: 503, headers: { 'retry-after': '1' } },
      started,
      {
        status: 500,
        body: { error: { code: 'internal', message: 'oh', details: [] } },
        headers: { 'retry-after': '1' },
      },
      { status: 200, body: report('completed') },
    ];
    return answers[number - 1]!;
  });
  const ended = await runScript(['--url', app.url, ...names]);
  expect(ended.code).toBe(0);
  expect(ended.stderr).toContain('no useful answer (503), again in 1 s');
  const ids = app.seen.slice(0, 2).map(({ body }) => (JSON.parse(body) as { requestId: string }).requestId);
  expect(ids[0]).toMatch(/^[A-Za-z0-9_.:-]{1,128}$/);
  expect(ids[1]).toBe(ids[0]);
});

test.each([
  ['GitHub', { GITHUB_RUN_ID: '77', GITHUB_RUN_ATTEMPT: '2', GITHUB_JOB: 'migrate it' }, /^github-77-2-migrate-it-/],
  [
    'Azure Pipelines',
    { BUILD_BUILDID: '88', SYSTEM_JOBATTEMPT: '3', SYSTEM_JOBNAME: 'migrate' },
    /^azure-88-1-3-migrate-/,
  ],
])('on %s the request id is made of the run', async (_what, env, pattern) => {
  app = await ToldApp.start(({ method }) => (method === 'POST' ? started : { status: 200, body: report('completed') }));
  await runScript(['--url', app.url, ...names], env);
  await runScript(['--url', app.url, ...names], env);
  await runScript(['--url', app.url, '--source', 'OLD', '--target', 'OTHER'], env);
  const ids = app.seen
    .filter(({ method }) => method === 'POST')
    .map(({ body }) => (JSON.parse(body) as { requestId: string }).requestId);
  expect(ids[0]).toMatch(pattern);
  expect(ids[0]).toMatch(/^[A-Za-z0-9_.:-]{1,128}$/);
  expect(ids[1]).toBe(ids[0]);
  expect(ids[2]).not.toBe(ids[0]);
});

test.each(['failed', 'cancelled'])('it fails with 3 when the migration ends as %s, with the cause', async (state) => {
  app = await ToldApp.start(({ method }) =>
    method === 'POST' ? started : { status: 200, body: report(state, { cause: 'no progress for 1800 s' }) },
  );
  const ended = await runScript(['--url', app.url, ...names]);
  expect(ended.code).toBe(3);
  expect(ended.stdout).toContain('no progress for 1800 s');
  expect(ended.stderr).toBe(`The migration ended as ${state}.\n`);
});

test('a key name cannot give the pipeline a command or the terminal a colour', async () => {
  // The app's documents are well-formed, and jq reads no others.
  const unsafe = Array.from(UNSAFE, (code) => String.fromCodePoint(code))
    .filter((text) => text.isWellFormed())
    .join('');
  const findings = [
    { database: 0, key: '##vso[task.setvariable variable=x]y', encoding: 'utf8', code: 'c', message: 'm' },
    { database: 1, key: '\n::set-output name=x::y', encoding: 'utf8', code: 'c', message: '\u001b[31mred' },
    { database: 0, key: unsafe, encoding: 'utf8', code: 'c', message: `${unsafe}é漢🗝` },
    { database: 2, key: '/////w==', encoding: 'base64', code: 'c', message: 'm\n::error::x' },
  ];
  app = await ToldApp.start(({ method, url }) => {
    if (method === 'POST') return started;
    if (url.includes('/findings?limit=5')) return { status: 200, body: { findings, continuation: null } };
    return { status: 200, body: report('completedWithDifferences', { findings: 4, warnings: ['::warning::x'] }) };
  });
  const ended = await runScript(['--url', app.url, ...names, '--findings', '5']);
  expect(ended.code).toBe(1);
  expect(ended.stdout).not.toContain('##');
  expect(ended.stdout).not.toMatch(/^\s*::/m);
  const shown = Array.from(ended.stdout).filter((character) => !'\n\t'.includes(character));
  expect(shown.filter((character) => UNSAFE.has(character.codePointAt(0) ?? 0))).toEqual([]);
  expect(ended.stdout).toContain('é漢🗝');
  expect(ended.stdout).toContain('  database 2, key "/////w==" (base64): c: m');
});

test('it tells a wrong key from a wrong request', async () => {
  app = await ToldApp.start(() => ({ status: 401 }));
  const ended = await runScript(['--url', app.url, ...names], { KEYFERRY_KEY: 'wrong' });
  expect(ended.code).toBe(3);
  expect(ended.stderr).toContain('answered with 401');
  expect(ended.stderr).toContain('KEYFERRY_KEY');
  expect(app.seen).toHaveLength(1);
});

test.each([
  ['another site', { status: 200, body: { hello: 'world' } }],
  ['a page', { status: 200, body: '<html>' }],
  ['nothing', { status: 204 }],
  ['a way elsewhere', { status: 302, headers: { location: 'http://elsewhere.example/' } }],
])('it fails with 3 when the address is that of %s', async (_what, answer) => {
  app = await ToldApp.start(() => answer);
  const ended = await runScript(['--url', app.url, ...names]);
  expect(ended.code).toBe(3);
  expect(ended.stderr).not.toBe('');
});

test('it stops waiting after --timeout, and says that the migration goes on', async () => {
  app = await ToldApp.start(({ method }) =>
    method === 'POST' ? started : { status: 200, body: report('running'), headers: { 'retry-after': '1' } },
  );
  const ended = await runScript(['--url', app.url, ...names, '--timeout', '2']);
  expect(ended.code).toBe(3);
  expect(ended.stderr).toContain(`it goes on: GET ${app.url}/api/migrations/m1`);
});

test('a pipeline that is cancelled ends it at once and leaves no file', async () => {
  app = await ToldApp.start(({ method }) =>
    method === 'POST' ? started : { status: 200, body: report('running'), headers: { 'retry-after': '1' } },
  );
  const running = startScript(['--url', app.url, ...names]);
  for (const until = Date.now() + 20_000; app.seen.length < 3;) {
    if (Date.now() > until) throw new Error(running.stderr);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  running.signal('SIGTERM');
  expect((await running.end()).code).toBe(143);
});

describe('wrong usage', () => {
  beforeEach(async () => {
    app = await ToldApp.start(() => started);
  });

  test.each([
    ['nothing', []],
    ['no url', names],
    ['no target', ['--url', 'https://a.example', '--source', 'OLD']],
    ['an unknown argument', ['--url', 'https://a.example', ...names, '--nonsense']],
    ['an argument without its value', ['--url', 'https://a.example', '--source', 'OLD', '--target']],
    ['no number', ['--url', 'https://a.example', ...names, '--findings', 'many']],
    ['http across a network', ['--url', 'http://a.example', ...names]],
    ['a host that only begins like this machine', ['--url', 'http://localhost.a.example', ...names]],
    ['a file that is not there', ['--url', 'https://a.example', '--request', '/nowhere.json']],
    ['a file that is no request', ['--url', 'https://a.example', '--request', __filename]],
    ['a request and names', ['--url', 'https://a.example', '--request', '/nowhere.json', ...names]],
  ])('%s is told with 2', async (_what, args) => {
    const ended = await runScript(args);
    expect(ended.code).toBe(2);
    expect(ended.stdout).toBe('');
    expect(ended.stderr).toContain('--help');
  });

  test('--help tells all options', async () => {
    const { code, stdout } = await runScript(['--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('--request-id ID');
  });
});

/** The arguments of all processes of this machine, as anybody sees them. */
function allArguments(): string {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    })
    .filter((line) => !line.includes('jest'))
    .join('\n');
}
