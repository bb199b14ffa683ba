import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { startBrowser } from '../../tools/chromium';

/** A page of the console in a context of its own, with everything that its browser complained of. */
export interface ConsolePage {
  readonly page: Page;
  /** Violations of the Content-Security-Policy, errors of scripts, and what the console of the browser says is wrong. */
  readonly complaints: readonly string[];
  /** Addresses that the page asked for. */
  readonly requested: readonly string[];
  close(): Promise<void>;
}

/** The browser of one test file. Where there is none, `start` says why and `page` is never called. */
export class ConsoleStage {
  private browser: Browser | undefined;

  async start(): Promise<void> {
    const found = await startBrowser();
    if ('reason' in found) console.warn(`The tests of the console are left out. ${found.reason}`);
    else this.browser = found;
  }

  async close(): Promise<void> {
    await this.browser?.close();
  }

  /** A test that needs the browser. */
  it(name: string, test: () => Promise<void>, timeout?: number): void {
    it(
      name,
      async () => {
        if (this.browser !== undefined) await test();
      },
      timeout,
    );
  }

  async open(url: string, options: BrowserContextOptions = {}): Promise<ConsolePage> {
    if (this.browser === undefined) throw new Error('There is no browser.');
    const context = await this.browser.newContext({ locale: 'en-GB', timezoneId: 'UTC', ...options });
    const page = await context.newPage();
    const complaints: string[] = [];
    const requested: string[] = [];
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => requested.push(request.url()));
    // Told by the page itself, too: a violation that only reports would not be an error.
    await page.exposeFunction('reportViolation', (text: string) => complaints.push(text));
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        const report = (globalThis as unknown as { reportViolation: (text: string) => void }).reportViolation;
        report(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
      });
    });
    await page.goto(url);
    return { page, complaints, requested, close: () => context.close() };
  }
}
