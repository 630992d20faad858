import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Browser, type BrowserContext, chromium, type Page, type Request } from 'playwright-core';
import { PASSWORD } from './installation.js';

/** Debian's own; nothing is downloaded. */
export const CHROMIUM = 'chromium';

/** What a browser that nobody watches must not do by itself. */
const ALONE = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
  ...['--disable-background-networking', '--disable-component-update'],
];

export const startBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: `/usr/bin/${CHROMIUM}`, args: ALONE });

/** An answer may make a page ask for more. */
const CALM_LOOKS = 2;
const CALM_MS = 50;

/** How a page looks: width of the window and colours. */
export interface Look {
  width: number;
  scheme: 'light' | 'dark';
}
export const LOOKS: readonly Look[] = [1_440, 390].flatMap((width) =>
  (['light', 'dark'] as const).map((scheme) => ({ width, scheme })),
);

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

/** Runs in the page, whose types are not those of the tests. */
const UNTRANSLATED = `(() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const isOwn = node.parentElement?.closest('[translate=no], script, style, option, textarea') != null;
    const rest = (node.textContent ?? '').replace(/⟦[^⟧]*⟧/g, '');
    if (!isOwn && /[a-z]{2}/i.test(rest)) found.push(rest.trim());
  }
  return found;
})()`;

/** One person at the console, in a browser of their own. */
export class AtConsole {
  /** What the browser complained of, page errors included. */
  readonly complaints: string[] = [];
  /** Addresses that were asked, in their order. */
  readonly asked: string[] = [];
  /** Requests under way, but for the stream that never ends. */
  private readonly pending = new Set<Request>();

  private constructor(
    readonly page: Page,
    private readonly context: BrowserContext,
    private readonly base: string,
  ) {
    page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(message.text());
    });
    page.on('pageerror', (error) => this.complaints.push(error.message));
    page.on('request', (request) => {
      this.asked.push(request.url());
      if (!request.url().includes('/v1/live')) this.pending.add(request);
    });
    page.on('requestfinished', (request) => this.pending.delete(request));
    page.on('requestfailed', (request) => this.pending.delete(request));
  }

  /** @param language that the console shall speak; the browser's otherwise */
  static async open(
    browser: Browser,
    base: string,
    look: Partial<Look> & { language?: string } = {},
  ): Promise<AtConsole> {
    const { width = 1_440, scheme = 'light', language } = look;
    const viewport = { width, height: 900 };
    const context = await browser.newContext({ viewport, colorScheme: scheme, locale: 'en-GB' });
    if (language !== undefined)
      await context.addInitScript(`localStorage.setItem('muster-language', ${JSON.stringify(language)})`);
    return new AtConsole(await context.newPage(), context, base);
  }

  async signIn(email: string, password = PASSWORD): Promise<this> {
    await this.page.goto(`${this.base}/console/`);
    await this.page.locator('input[autocomplete=username]').fill(email);
    await this.page.locator('input[autocomplete=current-password]').fill(password);
    await this.page.locator('button[type=submit]').click();
    await this.page.locator('nav.nav').waitFor();
    return this;
  }

  /** Goes to a page and waits until it has its answers. */
  async go(path: string): Promise<void> {
    await this.page.goto(`${this.base}/console${path}`);
    await this.page.locator('h1').waitFor();
    await this.settled();
  }

  /** Nothing on the page says that it still loads, and nothing is asked any more. */
  async settled(): Promise<void> {
    const busy = this.page.locator('[aria-busy=true]');
    for (let calm = 0; calm < CALM_LOOKS; ) {
      while ((await busy.count()) > 0) await busy.first().waitFor({ state: 'detached' });
      await this.page.waitForTimeout(CALM_MS);
      calm = this.pending.size === 0 ? calm + 1 : 0;
    }
  }

  /** What axe-core finds against WCAG 2.2 AA. It is injected past the page's own policy, by the debugger. */
  async axe(): Promise<string[]> {
    const session = await this.context.newCDPSession(this.page);
    await session.send('Runtime.evaluate', { expression: axe });
    const expression = `axe.run(document, { runOnly: ${JSON.stringify(RULES)} }).then(({ violations }) => violations
      .flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ': ' + html.slice(0, 200))))`;
    const { result } = await session.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    await session.detach();
    return result.value as string[];
  }

  /** By how many pixels the page is wider than its window. */
  overflow(): Promise<number> {
    return this.page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
  }

  /** Texts that no catalogue has: with letters of English in them, and not marked as somebody's own words. */
  untranslated(): Promise<string[]> {
    return this.page.evaluate<string[]>(UNTRANSLATED);
  }

  /** Buttons in the page, by what they say. */
  buttons(): Promise<string[]> {
    return this.page.locator('main button:visible').allTextContents();
  }

  close(): Promise<void> {
    return this.context.close();
  }
}
