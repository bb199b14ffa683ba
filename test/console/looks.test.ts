import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { Ledger } from '../../src/ledger/ledger';
import { storageClients } from '../../src/ledger/storage-clients';
import { noCounts } from '../../src/migration/counts';
import { firstSnapshot } from '../../src/migration/report';
import type { AppProcess } from '../tools/app-process';
import { fill } from '../e2e/support/fill';
import { Stage } from '../tools/stage';
import { queueOf } from '../e2e/support/storage';
import { aMigration, aPlan, aRange } from '../tools/rows';
import { browserStartTimeout } from '../tools/chromium';
import { ConsoleStage } from './support/console-stage';

const RANGES = 16_384;
const DONE = 9_000;
const FAILED = new Set([3_000, 3_001, 12_345]);

/** Set to a folder, the tests put pictures of the page there: `KEYFERRY_PICTURES=docs npx jest test/console/looks`. */
const pictures = process.env.KEYFERRY_PICTURES;
const stage = new Stage();
const consoles = new ConsoleStage();
let app: AppProcess;

beforeAll(async () => {
  await consoles.start();
  const old = await stage.side('redis-6.0');
  const neu = await stage.side('redis-8.0');
  await fill(old, pictures === undefined ? 40_000 : 1_000_000);
  app = await stage.app(stage.connections({ OLD: old, NEW: neu }));
}, browserStartTimeout);
afterAll(async () => {
  await consoles.close();
  await stage.clear();
});

const desktop = { viewport: { width: 1_280, height: 900 } };
const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

async function picture(page: Page, name: string, fullPage = true): Promise<void> {
  if (pictures === undefined) return;
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: path.join(pictures, `${name}.png`), fullPage, scale: 'css' });
}

/** Rows in the ledger of a migration that has ended with ranges in every state, as a worker would have left them. */
async function writeLargeMigration(): Promise<string> {
  const id = 'large-1';
  const queue = queueOf(app, 'ranges');
  const [account, table] = [queue.accountName, app.azurite()?.table ?? 0];
  // The key that every Azurite has.
  const key = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';
  const connection = `DefaultEndpointsProtocol=http;AccountName=${account};AccountKey=${key};TableEndpoint=http://127.0.0.1:${table}/${account};QueueEndpoint=${queue.url};BlobEndpoint=http://127.0.0.1:1/${account}`;
  const ledger = new Ledger(storageClients({ AzureWebJobsStorage: connection }));
  const databases = [{ database: 0, targetDatabase: 0, prefix: '', keys: 500_000_000, bits: 14 }];
  const startedAt = new Date(Date.now() - 3_600_000).toISOString();
  const row = aMigration({
    id,
    plan: aPlan({ databases }),
    startedAt,
    state: 'failed',
    cause: 'A range failed.',
    finishedAt: new Date().toISOString(),
  });
  await ledger.ensure();
  await ledger.migrations.create(row);
  const progress = {
    percent: 55,
    keysPerSecond: 120_000,
    etaSeconds: null,
    ranges: { total: RANGES, done: DONE, active: 0, failed: FAILED.size },
  };
  const history = Array.from({ length: 240 }, (_, i): [number, number] => [
    i * 15,
    Math.round(1_800_000 * i - 4_000_000 * (Math.cos(i / 9) - 1)),
  ]);
  await ledger.snapshots.put(id, { ...firstSnapshot(row), progress, history });
  const rows = Array.from({ length: RANGES }, (_, i) =>
    aRange(i, {
      migration: id,
      index: i,
      bits: 14,
      counts: noCounts,
      ...(FAILED.has(i)
        ? { state: 'failed', cause: 'NOPERM this user has no permissions to run the restore command', share: 0.4 }
        : { state: i < DONE ? 'done' : 'cancelled', share: i < DONE ? 1 : 0 }),
    }),
  );
  await ledger.ranges.create(rows);
  return id;
}

consoles.it('16,384 ranges are seen at a glance: each has its cell, and those that failed stand out', async () => {
  const id = await writeLargeMigration();
  for (const [name, options] of [
    ['desktop', desktop],
    ['phone', phone],
  ] as const) {
    const { page, complaints, close } = await consoles.open(`${app.url}/api/console#/migrations/${id}`, options);
    await page.getByText('failed 3').waitFor();
    const size = await page.locator('.ranges canvas').boundingBox();
    expect(size?.height).toBeLessThanOrEqual(500);
    expect(size?.width).toBeLessThanOrEqual(options.viewport.width);
    // What the eye sees: how much of the canvas has which colour.
    const share = await page.evaluate(() => {
      const canvas = document.querySelector<HTMLCanvasElement>('.ranges canvas');
      const data = canvas?.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
      const counts: Record<string, number> = {};
      for (let i = 0; i < data.length; i += 4) {
        const colour = `${data[i] ?? 0},${data[i + 1] ?? 0},${data[i + 2] ?? 0},${data[i + 3] ?? 0}`;
        counts[colour] = (counts[colour] ?? 0) + 1;
      }
      return counts;
    });
    const [done, cancelled, failed] = [share['63,157,109,255'], share['109,119,125,255'], share['208,36,27,255']];
    expect((done ?? 0) / (cancelled ?? 1)).toBeCloseTo((DONE - 2) / (RANGES - DONE - 1), 1);
    // Those are drawn larger than their share.
    expect((failed ?? 0) / (done ?? 1)).toBeGreaterThan(3 / DONE);
    expect(await page.getByRole('table', { name: 'Ranges that need a look' }).getByText('NOPERM').count()).toBe(3);
    expect(complaints).toEqual([]);
    await picture(page, `console-16384-ranges-${name}`);
    await close();
  }
});

consoles.it('a migration of many keys, seen while it runs', async () => {
  const request = { source: 'OLD', target: 'NEW', limits: { keysPerSecond: pictures === undefined ? 10_000 : 60_000 } };
  const id = await app.migrate(request);
  const route = `${app.url}/api/console#/migrations/${id}`;
  const { page, complaints, close } = await consoles.open(route, desktop);
  const small = await consoles.open(route, phone);
  await app.reportWhen(id, ({ progress }) => progress.percent > 60);
  await page.waitForTimeout(2_500);
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const [name, one] of [
      ['desktop', page],
      ['phone', small.page],
    ] as const) {
      await one.emulateMedia({ colorScheme });
      await picture(one, `console-${name}-${colorScheme}`, name === 'desktop');
    }
  }
  expect((await app.finished(id)).state).toBe('completed');
  await page.waitForFunction(() => document.title.startsWith('completed'));
  await page.goto(`${app.url}/api/console#/new`);
  await page.getByLabel('Source', { exact: true }).fill('OLD');
  await page.getByLabel('Target', { exact: true }).fill('NEW');
  await page.getByLabel('aspnet-session-v5').check();
  await picture(page, 'console-new');
  await small.page.goto(`${app.url}/api/console#/`);
  await small.page.getByRole('link', { name: id }).waitFor();
  await picture(small.page, 'console-list-phone', false);
  expect([...complaints, ...small.complaints]).toEqual([]);
  await close();
  await small.close();
});
