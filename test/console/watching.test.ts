import type { AppProcess } from '../tools/app-process';
import { fill } from '../e2e/support/fill';
import { Stage, type Side } from '../tools/stage';
import { browserStartTimeout } from '../tools/chromium';
import { ConsoleStage } from './support/console-stage';

const KEYS = 60_000;
const stage = new Stage();
const consoles = new ConsoleStage();
let app: AppProcess;
let old: Side;
let neu: Side;

beforeAll(async () => {
  await consoles.start();
  old = await stage.side('redis-6.0');
  neu = await stage.side('redis-8.0');
  await fill(old, KEYS);
  app = await stage.app(stage.connections({ OLD: old, NEW: neu }));
}, browserStartTimeout);
afterAll(async () => {
  await consoles.close();
  await stage.clear();
});
afterEach(async () => {
  await neu.client.flushall();
});

const at = (route = '') => `${app.url}/api/console${route}`;
const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

consoles.it('a migration is composed, started and watched to its end', async () => {
  const { page, complaints, requested, close } = await consoles.open(at());
  await page.getByRole('link', { name: 'New migration' }).click();
  await page.getByLabel('Source', { exact: true }).fill('OLD');
  await page.getByLabel('Target', { exact: true }).fill('NEW');
  await page.getByLabel('On conflict').selectOption('fail');
  // Ten seconds: ranges write down what they have done every three.
  await page.getByLabel('Keys per second').fill('6000');
  const json = await page.getByLabel('The request as JSON').textContent();
  expect(JSON.parse(json ?? '')).toEqual({
    source: 'OLD',
    target: 'NEW',
    onConflict: 'fail',
    limits: { keysPerSecond: 6_000 },
  });
  expect(await page.getByLabel('The request as a curl command').textContent()).toContain(
    `curl --fail-with-body -X POST '${app.url}/api/migrations'`,
  );
  await page.getByRole('button', { name: 'Start the migration' }).click();

  await page.getByRole('heading', { name: 'OLD → NEW' }).waitFor();
  const percents: number[] = [];
  const percent = page.locator('.facts b').first();
  for (const end = Date.now() + 60_000; Date.now() < end && !(await page.title()).startsWith('completed');) {
    percents.push(Number.parseFloat((await percent.textContent()) ?? ''));
    await page.waitForTimeout(200);
  }
  const seen = percents.filter((value) => !Number.isNaN(value));
  expect(seen.some((value) => value > 0 && value < 100)).toBe(true);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(await percent.textContent()).toBe('100.0 %');
  await page.getByText(/^4 of 4$|^8 of 8$|^16 of 16$/).waitFor();
  // The last look of chart and grid comes after the verdict.
  await page.locator('.legend', { hasText: 'active 0' }).waitFor();
  await page.locator('.chart canvas').waitFor();
  const outcome = page.getByRole('table', { name: 'Keys by outcome' });
  expect(await outcome.getByRole('row', { name: 'copied' }).textContent()).toBe('copied60,000');
  expect(await page.getByRole('table', { name: 'Tally' }).textContent()).toContain('verdictcompleted');
  expect(await page.getByRole('button', { name: 'Cancel' }).isVisible()).toBe(false);
  // What has ended is not asked for any more.
  await page.waitForTimeout(2_500);
  const { length } = requested;
  await page.waitForTimeout(2_500);
  expect(requested).toHaveLength(length);
  expect(new Set(requested.map((url) => new URL(url).origin))).toEqual(new Set([app.url]));
  expect(complaints).toEqual([]);
  await close();
});

consoles.it('a source that is followed is watched over a gap to its cut-over', async () => {
  const id = await app.migrate({ source: 'OLD', target: 'NEW', mode: 'live' });
  const { page, complaints, close } = await consoles.open(at(`#/migrations/${id}`));
  const lag = page.getByRole('region', { name: 'Lag of the target, seconds' });
  await lag.getByText('2 readers listen; no gap so far').waitFor();
  await app.reportWhen(id, ({ live }) => live?.phase === 'live');
  await old.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await lag.getByText('one gap (marked) so far').waitFor();
  await page.getByRole('button', { name: 'Cut over …' }).click();
  await page.getByRole('button', { name: 'Cut over', exact: true }).click();
  await page.locator('.badge[data-state=completed]').waitFor();
  await lag.locator('.u-over').hover();
  await lag.getByText(/^At \d+:\d\d: /).waitFor();
  expect(complaints).toEqual([]);
  await close();
});

consoles.it('cancelling asks first, and then cancels', async () => {
  const id = await app.migrate({ source: 'OLD', target: 'NEW', limits: { keysPerSecond: 1_000 } });
  const { page, complaints, close } = await consoles.open(at(`#/migrations/${id}`));
  await page.getByRole('button', { name: 'Cancel …' }).click();
  await page.getByRole('button', { name: 'Let it run' }).click();
  await page.waitForTimeout(500);
  expect((await app.report(id)).state).not.toBe('cancelled');
  await page.getByRole('button', { name: 'Cancel …' }).click();
  await page.keyboard.press('Escape');
  expect(await page.getByRole('alertdialog').count()).toBe(0);
  await page.getByRole('button', { name: 'Cancel …' }).click();
  await page.getByRole('button', { name: 'Cancel the migration' }).click();
  await page.locator('.badge[data-state=cancelled]').waitFor();
  expect((await app.finished(id)).state).toBe('cancelled');
  expect(complaints).toEqual([]);
  await close();
});

consoles.it('everything is reached by keyboard, and the focus is seen', async () => {
  const id = await app.migrate({ source: 'OLD', target: 'NEW', limits: { keysPerSecond: 1_000 } });
  const { page, complaints, close } = await consoles.open(at());
  await page.getByRole('link', { name: id }).waitFor();
  const focused = () =>
    page.evaluate(() => {
      const { activeElement } = document;
      const style = activeElement && getComputedStyle(activeElement);
      return { text: activeElement?.textContent ?? '', tag: activeElement?.tagName, outline: style?.outlineStyle };
    });
  for (const text of ['To the content', 'Keyferry', 'Migrations', 'New migration', id]) {
    await page.keyboard.press('Tab');
    expect(await focused()).toMatchObject({ text, tag: 'A', outline: 'solid' });
  }
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Cancel …' }).waitFor();
  await page.keyboard.press('Tab');
  expect(await focused()).toMatchObject({ text: 'Cancel …', outline: 'solid' });
  await page.locator('.legend', { hasText: 'active' }).waitFor();
  await page.keyboard.press('Tab');
  expect(await focused()).toMatchObject({ tag: 'CANVAS', outline: 'solid' });
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await page.getByText(/^Database 0, range 1 of \d+: /).waitFor();
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Enter');
  // The choice that does no harm has the focus; the other is the next.
  expect(await focused()).toMatchObject({ text: 'Let it run' });
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.locator('.badge[data-state=cancelled]').waitFor();
  expect(complaints).toEqual([]);
  await close();
});

consoles.it('mistakes in a request are told where they are', async () => {
  const { page, close } = await consoles.open(at('#/new'));
  await page.getByLabel('Source', { exact: true }).fill('no name');
  await page.getByLabel('Target', { exact: true }).fill('NEW');
  await page.getByLabel('Databases', { exact: true }).selectOption('map');
  await page.getByLabel('Map of databases, one a line').fill('0 = 3\n1 = db1:');
  await page.getByRole('button', { name: 'Add a rule' }).click();
  await page.getByLabel('From').fill('(');
  await page.getByRole('textbox', { name: 'To', exact: true }).fill('x');
  await page.getByLabel('aspnet-session-v5').check();
  await page.getByLabel('On locked').selectOption('convert');
  await page.getByLabel('distributed-cache').check();
  const json = JSON.parse((await page.getByLabel('The request as JSON').textContent()) ?? '') as unknown;
  expect(json).toEqual({
    source: 'no name',
    target: 'NEW',
    databases: { 0: 3, 1: 'db1:' },
    rename: [{ from: '(', to: 'x' }],
    convert: [{ converter: 'aspnet-session-v5', onLocked: 'convert' }, 'distributed-cache'],
  });
  await page.getByRole('button', { name: 'Start the migration' }).click();
  const alert = await page.getByRole('alert').textContent();
  expect(alert).toContain('source');
  expect(alert).toContain('rename.0.from');
  // Of the second one that is chosen, wherever it stands in the form.
  expect(alert).toContain('convert.1.to');
  expect(await page.locator('#field-convert-distributed-cache-to').getAttribute('aria-invalid')).toBe('true');
  expect(await page.getByLabel('Source', { exact: true }).getAttribute('aria-invalid')).toBe('true');
  expect(await page.evaluate(() => document.activeElement?.id)).toBe('field-source');
  await close();
});

describe.each([
  ['desktop', { viewport: { width: 1_280, height: 900 } }],
  ['phone', phone],
] as const)('on a %s', (_, options) => {
  consoles.it(
    'nothing is wider than the screen, light or dark, and the scheme is followed while it is shown',
    async () => {
      const report = await app.run({ source: 'OLD', target: 'NEW' });
      for (const route of ['#/', '#/new', `#/migrations/${report.id}`]) {
        const { page, complaints, close } = await consoles.open(at(route), options);
        await page.locator('main .card').first().waitFor();
        if (route.includes('migrations')) await page.locator('.chart canvas').waitFor();
        const backgrounds: string[] = [];
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme });
          const [width, background] = await page.evaluate(() => [
            document.documentElement.scrollWidth,
            getComputedStyle(document.body).backgroundColor,
          ]);
          expect(width).toBeLessThanOrEqual(options.viewport.width);
          backgrounds.push(background);
        }
        expect(backgrounds[0]).not.toBe(backgrounds[1]);
        expect(complaints).toEqual([]);
        await close();
      }
    },
  );
});
