import type { AppProcess } from '../tools/app-process';
import { Stage } from '../tools/stage';
import { browserStartTimeout } from '../tools/chromium';
import { ConsoleStage } from './support/console-stage';
import { startKeyGate, type KeyGate } from './support/key-gate';

const YEAR_2100 = 4_102_444_800_000;
const PLAIN = 120;
const hostile: (string | Buffer)[] = [
  '<img src=x onerror="window.hacked=1">',
  '<script>window.hacked=2</script>',
  '"><svg onload=window.hacked=3>',
  "');window.hacked=4;//",
  '</table><iframe srcdoc="<script>parent.hacked=5</script>">',
  'javascript:window.hacked=6',
  'harmless\u202egnp.exe',
  'line\nbreak\u0000and\u001b[31m',
  'x'.repeat(5_000),
  Buffer.from([0xff, 0xfe, 0x00, 0x3c, 0x62, 0x3e]),
];
const stage = new Stage();
const consoles = new ConsoleStage();
let app: AppProcess;
let id: string;
let gate: KeyGate | undefined;

beforeAll(async () => {
  await consoles.start();
  const newer = await stage.side('redis-8.0');
  const older = await stage.side('redis-6.0');
  // An older server cannot hold expiries of fields: each of these keys becomes a finding.
  for (const name of [...hostile, ...Array.from({ length: PLAIN }, (_, i) => `plain:${i}`)]) {
    await newer.client.hset(name, 'field', 'value');
    await newer.client.call('HPEXPIREAT', name, YEAR_2100, 'FIELDS', 1, 'field');
  }
  app = await stage.app(stage.connections({ NEWER: newer, OLDER: older }));
  const report = await app.run({ source: 'NEWER', target: 'OLDER' });
  expect(report.findings).toBe(hostile.length + PLAIN);
  ({ id } = report);
}, browserStartTimeout);
afterAll(async () => {
  await gate?.close();
  await consoles.close();
  await stage.clear();
});

consoles.it('key names of any kind are shown as text and become nothing else', async () => {
  const { page, complaints, close } = await consoles.open(`${app.url}/api/console#/migrations/${id}`);
  const shown: string[] = [];
  await page.getByRole('cell', { name: /./ }).locator('.key').first().waitFor();
  for (;;) {
    shown.push(...(await page.locator('.key').allTextContents()));
    const later = page.getByRole('button', { name: 'Later' });
    if (await later.isDisabled()) break;
    const status = page.getByText(/in all, page/);
    const before = await status.textContent();
    await later.click();
    await page.waitForFunction((text) => document.querySelector('[role=search] + p')?.textContent !== text, before);
  }
  expect(shown).toHaveLength(hostile.length + PLAIN);
  for (const name of hostile.slice(0, 6)) expect(shown).toContain(name);
  expect(shown).toContain('harmless\\u202egnp.exe');
  expect(shown).toContain('line\\nbreak\\u0000and\\u001b[31m');
  expect(shown).toContain(`${'x'.repeat(399)}…`);
  expect(shown).toContain(`base64${Buffer.from([0xff, 0xfe, 0x00, 0x3c, 0x62, 0x3e]).toString('base64')}`);
  expect(await page.locator('main :is(img, script, svg, iframe)').count()).toBe(0);
  expect(await page.evaluate(() => (globalThis as { hacked?: number }).hacked)).toBeUndefined();
  expect(complaints).toEqual([]);
  await close();
});

consoles.it('findings are searched and paged, there and back', async () => {
  const { page, complaints, close } = await consoles.open(`${app.url}/api/console#/migrations/${id}`);
  const later = page.getByRole('button', { name: 'Later' });
  const earlier = page.getByRole('button', { name: 'Earlier' });
  await page.getByText('130 in all, page 1.').waitFor();
  expect(await earlier.isDisabled()).toBe(true);
  await later.click();
  await page.getByText('130 in all, page 2.').waitFor();
  await later.click();
  await page.getByText('130 in all, page 3, the last.').waitFor();
  expect(await page.locator('.key').count()).toBe(30);
  await earlier.click();
  await page.getByText('130 in all, page 2.').waitFor();
  const search = page.getByLabel('Key, code or message contains');
  await search.fill('ONERROR=');
  await search.press('Enter');
  await page.getByText(/1 found on page/).waitFor();
  expect(await page.locator('.key').allTextContents()).toEqual([hostile[0]]);
  await search.fill('nothing has this');
  await search.press('Enter');
  await page.getByText('Nothing is found.').waitFor();
  await search.fill('');
  await search.press('Enter');
  await page.getByText('130 in all, page 1.').waitFor();
  expect(complaints).toEqual([]);
  await close();
});

it('a search answers with a page of what is found, whatever lies between', async () => {
  const found: string[] = [];
  let continuation = '';
  for (let calls = 0; calls < 50; calls++) {
    const query = new URLSearchParams({ limit: '7', search: 'PLAIN:1', ...(continuation && { continuation }) });
    const { body } = await app.request<{ findings: { key: string }[]; continuation: string | null }>(
      'GET',
      `/api/migrations/${id}/findings?${query.toString()}`,
    );
    expect(body.findings.length).toBeLessThanOrEqual(7);
    found.push(...body.findings.map(({ key }) => key));
    if (body.continuation === null) break;
    continuation = body.continuation;
  }
  const wanted = Array.from({ length: PLAIN }, (_, i) => `plain:${i}`).filter((key) => key.includes('plain:1'));
  expect(found.sort()).toEqual(wanted.sort());
  const tooLong = await app.request('GET', `/api/migrations/${id}/findings?search=${'x'.repeat(201)}`);
  expect(tooLong.status).toBe(400);
});

consoles.it('a key is asked for where one is needed, kept for the session, and in no address', async () => {
  const key = 'secret/key+with=odd characters';
  gate = await startKeyGate(app.url, key);
  const { page, complaints, requested, close } = await consoles.open(`${gate.url}/api/console`);
  const input = page.getByLabel('Key of this app');
  await input.fill('wrong');
  await input.press('Enter');
  await page.getByText('That key was not accepted.').waitFor();
  await input.fill(key);
  await page.getByRole('button', { name: 'Use this key' }).click();
  await page.getByRole('link', { name: id }).click();
  await page.getByText('130 in all, page 1.').waitFor();
  await page.reload();
  await page.getByText('130 in all, page 1.').waitFor();
  expect(await input.count()).toBe(0);
  const texts = [...requested, page.url(), await page.content()];
  const spellings = [key, encodeURIComponent(key), encodeURI(key), new URLSearchParams({ key }).toString().slice(4)];
  expect(texts.filter((text) => spellings.some((spelling) => text.includes(spelling)))).toEqual([]);
  expect(await page.evaluate(() => Object.keys(localStorage))).toEqual([]);
  expect(await page.context().cookies()).toEqual([]);

  await page.getByRole('button', { name: 'Forget the key' }).click();
  await input.waitFor();
  await page.getByRole('button', { name: 'Not now' }).click();
  await page.getByRole('button', { name: 'Give a key' }).click();
  await input.waitFor();
  // The browser itself notes each 401.
  expect(complaints.filter((text) => !text.includes('401'))).toEqual([]);
  await close();
});

describe('the files', () => {
  const get = (route: string, headers: Record<string, string> = {}) =>
    fetch(app.url + route, { headers, redirect: 'manual' });

  it('come with a policy that lets nothing in, and are not fetched twice', async () => {
    for (const [route, type] of [
      ['/api/console', 'text/html; charset=utf-8'],
      ['/api/console/main.js', 'text/javascript; charset=utf-8'],
      ['/api/console/console.css', 'text/css; charset=utf-8'],
      ['/api/console/icon.svg', 'image/svg+xml'],
    ] as const) {
      const { status, headers } = await get(route);
      expect({ route, status, type: headers.get('content-type') }).toEqual({ route, status: 200, type });
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      const policy = headers.get('content-security-policy') ?? '';
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).toContain("require-trusted-types-for 'script'");
      expect(policy).not.toMatch(/unsafe|https?:|\*|data:/);
      const again = await get(route, { 'if-none-match': headers.get('etag') ?? '' });
      expect(again.status).toBe(304);
    }
  });

  it('are those of the console and no others', async () => {
    for (const file of [
      'nothing.js',
      '..%2fsrc%2fapp%2fapp.js',
      '%2e%2e%2ffunctions%2fgetConsole.js',
      'tsconfig.json',
    ]) {
      expect((await get(`/api/console/${file}`)).status).toBe(404);
    }
  });

  it('have a page with nothing of its own inside and nothing from elsewhere', async () => {
    const page = await (await get('/api/console')).text();
    expect(page).not.toMatch(/<style|style=|\son\w+=|https?:/i);
    expect([...page.matchAll(/<script([^>]*)>([^<]*)/g)].map(([, given, inside]) => [given, inside])).toEqual([
      [' type="module" src="console/main.js"', ''],
    ]);
  });

  it('are found from an address with a slash behind, too', async () => {
    const { status, headers } = await get('/api/console/');
    expect({ status, location: headers.get('location') }).toEqual({ status: 308, location: '../console' });
  });
});
