import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';
const START_MS = 30_000;
const WAIT_MS = 10_000;

/** A headless Chromium, the system's own. `close` ends it with all of its pages; at the latest it ends with the process. */
export class Browser {
  #chromium;

  static async start() {
    if (!existsSync(EXECUTABLE)) throw new Error(`no browser at ${EXECUTABLE}: run ./scripts/install, or set CHROMIUM`);
    const browser = new Browser();
    // Chromium does not start as root with its sandbox; the pages are ours.
    const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    browser.#chromium = await chromium.launch({ executablePath: EXECUTABLE, headless: true, args, timeout: START_MS });
    return browser;
  }

  /** A page with storage of its own, empty until it goes somewhere. `ignoreHTTPSErrors` has it trust any certificate. */
  async page({ viewport = { width: 1280, height: 800 }, ignoreHTTPSErrors = false } = {}) {
    const context = await this.#chromium.newContext({ viewport, ignoreHTTPSErrors });
    context.setDefaultTimeout(WAIT_MS);
    return new RecordedPage(await context.newPage());
  }

  async close() { await this.#chromium.close(); }
}

/** A page of a browser, and what it said and could not do since it was made. */
export class RecordedPage {
  /** `{type, text}` of each message on its console, in order: `log`, `error`, `warning`, … */
  console = [];
  /** Exceptions that nobody caught, a crash too. */
  errors = [];

  constructor(page) {
    /** Playwright's page. */
    this.page = page;
    page.on('console', (message) => this.console.push({ type: message.type(), text: message.text() }));
    page.on('pageerror', (error) => this.errors.push(error));
    page.on('crash', () => this.errors.push(new Error('the page crashed')));
  }

  async goto(url) {
    const answer = await this.page.goto(url);
    if (!answer?.ok()) throw new Error(`${url} was answered ${answer?.status()}`);
  }

  /** Runs a function, or an expression, in the page. */
  evaluate(script, argument) { return this.page.evaluate(script, argument); }

  /** The texts on its console that begin so. */
  said(beginning) { return this.console.map(({ text }) => text).filter((text) => text.startsWith(beginning)); }

  async close() { await this.page.context().close(); }
}
