import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AtConsole, CHROMIUM, LOOKS, startBrowser } from '../support/browser.js';
import { type Enrolled, expectStatus, Installation, PASSWORD } from '../support/installation.js';
import { canRun } from '../support/prerequisites.js';
import { eventually } from '../support/processes.js';

/*
 * The console as people meet it: a real server, real Chromium, devices of the test's own. Whoever looks for something on a
 * page finds it by what it says, as people and their screen readers do.
 */

/** Begins with a mark that turns the direction of what follows. */
const HOSTILE = '\u202e<img src=x onerror="document.title=\'taken\'"> "quoted" & <b>bold</b>';
const FAILS_ABOVE = 0.2;
/** Buttons that change nothing. */
const HARMLESS = ['Copy', 'As a table'];
const BIG = 50_000_000;

let muster: Installation;
let browser: Browser;
let base = '';
const ids = { campaign: '', draft: '', content: '', device: '' };

const mailOf = (name: string) => `${name}@main.example`;
const open = async (name: string, look: Parameters<typeof AtConsole.open>[2] = {}) =>
  (await AtConsole.open(browser, base, look)).signIn(mailOf(name));

interface Offer {
  campaignId: string;
  contentId: string;
}

/** What a device is given of a campaign when it asks, as soon as it is. */
const offered = (device: Enrolled, campaignId: string): Promise<Offer> =>
  eventually('the device is offered it', async () => {
    const body = { attributes: { model: 'Aurora 6' }, except: [] };
    const answer = await muster.handset('POST', '/d/v1/availability', { device, body });
    const { contents } = expectStatus(answer, 200).body as { contents: Offer[] };
    return contents.find((each) => each.campaignId === campaignId);
  });

/** A device takes what a campaign brings, and says what became of it. */
async function takes(device: Enrolled, campaign: string, outcome: 'installed' | 'failed'): Promise<void> {
  const { campaignId, contentId } = await offered(device, campaign);
  const fact = (n: number, type: string, data: object) => ({
    type,
    seq: { epoch: device.epoch, n },
    occurredAt: new Date().toISOString(),
    data: { campaignId, contentId, ...data },
  });
  const facts = [
    fact(1, 'TransferCompleted', { bytes: 100, sha256: '5e'.repeat(32) }),
    fact(2, 'InstallReported', outcome === 'installed' ? { outcome } : { outcome, code: 'x' }),
    ...(outcome === 'installed' ? [fact(3, 'OutcomeConfirmed', { outcome: 'confirmed' })] : []),
  ];
  expectStatus(await muster.handset('POST', '/d/v1/facts', { device, body: { facts } }), 200);
}

async function prepare(): Promise<void> {
  const roles = { author: ['viewer', 'author'], approver: ['viewer', 'approver'], operator: ['viewer', 'operator'] };
  const all = { ...roles, viewer: ['viewer'], everything: ['viewer', 'author', 'operator', 'analyst', 'admin'] };
  for (const [name, given] of Object.entries(all)) {
    const body = { name: name === 'viewer' ? HOSTILE.slice(0, 60) : name, email: mailOf(name), password: PASSWORD };
    await muster.ok('POST', '/v1/users', { body: { ...body, roles: given } });
  }
  const attributes = { model: { type: 'string', description: 'Model name' }, freeMiB: { type: 'int' } };
  await muster.ok('PUT', '/v1/schema', { body: { version: 1, attributes } });
  const uploadId = await muster.upload(randomBytes(2_000));
  const description = { name: HOSTILE.slice(0, 80), version: '1.0' };
  ids.content = (
    await muster.ok<{ contentId: string }>('POST', '/v1/contents', { body: { uploadId, description } })
  ).contentId;
  ids.campaign = await muster.draft([ids.content], { name: HOSTILE, mode: 'server' });
  await muster.schedule(ids.campaign);
  ids.draft = await muster.draft([ids.content], { name: 'A draft' });
  const device = await muster.enrol(undefined, { label: HOSTILE.slice(0, 60) });
  ids.device = device.deviceId;
  await takes(device, ids.campaign, 'installed');
  await muster.ok('PUT', '/v1/review', { headers: { 'if-match': '*' }, body: { approvals: 1 } });
  muster.secret(
    (await muster.ok<{ passphrase: string }>('POST', '/v1/channels', { body: { channel: 'beta' } })).passphrase,
  );
}

const PAGES: readonly (readonly [name: string, path: () => string])[] = [
  ['overview', () => '/'],
  ['campaigns', () => '/campaigns'],
  ['campaigns, filtered empty', () => '/campaigns?q=nothing-of-the-kind'],
  ['campaign', () => `/campaigns/${ids.campaign}`],
  ['campaign as of', () => `/campaigns/${ids.campaign}?as_of=${encodeURIComponent(new Date().toISOString())}`],
  ['who went no further', () => `/campaigns/${ids.campaign}?lost=open%3Aconfirmed`],
  ['draft', () => `/campaigns/${ids.draft}`],
  ['new campaign', () => '/campaigns/new'],
  ...['audience', 'pace', 'safety', 'check', 'review'].map(
    (step) => [`wizard: ${step}`, () => `/campaigns/${ids.draft}/edit?step=${step}`] as const,
  ),
  ['contents', () => '/contents'],
  ['content', () => `/contents/${ids.content}`],
  ['rules', () => '/rules'],
  ['a rule', () => `/rules?rule=${encodeURIComponent('device.model == "Aurora 6" && device.freeMiB > 5')}`],
  ['devices', () => '/devices'],
  ['device', () => `/devices/${ids.device}`],
  ['why', () => `/devices/${ids.device}?tab=why&campaign=${ids.campaign}`],
  ['data of a device', () => `/devices/${ids.device}?tab=data`],
  ['people', () => '/people'],
  ['tokens', () => '/people?tab=tokens'],
  ['house', () => '/people?tab=house'],
  ['operations', () => '/operations'],
  ['nowhere', () => '/nowhere'],
];

describe.runIf(canRun(CHROMIUM, 'the pages of the console'))('the console', () => {
  beforeAll(async () => {
    muster = await Installation.start('console');
    base = muster.server.url;
    browser = await startBrowser();
    await prepare();
  });
  afterAll(async () => {
    await browser?.close();
    await muster?.stop();
  });

  it('asks who one is first, says no to a wrong password, and goes to the page that was asked for', async () => {
    const at = await AtConsole.open(browser, base);
    await at.page.goto(`${base}/console/contents?q=radio`);
    expect(await at.axe()).toEqual([]);
    await at.page.getByLabel('E-mail address').fill(mailOf('viewer'));
    await at.page.locator('input[autocomplete=current-password]').fill('a wrong password');
    await at.page.getByRole('button', { name: 'Sign in' }).click();
    await at.page.getByText('Organisation, address or password are wrong.').waitFor();
    await at.page.locator('input[autocomplete=current-password]').fill(PASSWORD);
    await at.page.keyboard.press('Enter');
    await at.page.getByRole('heading', { name: 'Contents' }).waitFor();
    expect(new URL(at.page.url()).search).toBe('?q=radio');
    expect(await at.page.evaluate('document.cookie')).toBe('');
    await at.close();
  });

  it('asks only its own server, in few requests, for its first page', async () => {
    const at = await AtConsole.open(browser, base);
    await at.page.goto(`${base}/console/`);
    await at.page.locator('form').waitFor();
    console.log(`console: the first page took ${at.asked.length} requests`);
    expect(at.asked.filter((url) => new URL(url).origin !== base)).toEqual([]);
    expect(at.complaints).toEqual([]);
    await at.close();
  });

  it.each(LOOKS)('has no fault that axe-core knows, and fits, at $width, $scheme', async (look) => {
    const at = await open('everything', look);
    for (const [name, to] of PAGES) {
      await at.go(to());
      expect([name, await at.axe()]).toEqual([name, []]);
      expect([name, await at.overflow()]).toEqual([name, 0]);
      expect([name, at.complaints]).toEqual([name, []]);
      expect(await at.page.title()).not.toBe('taken'); // what people, devices and contents are called is text
    }
    await at.close();
  });

  it('lets no name turn the direction of what stands behind it', async () => {
    const at = await open('everything');
    await at.go(`/campaigns/${ids.campaign}`);
    const unbounded = `[...document.querySelectorAll('[translate=no]')].filter((each) =>
      !['isolate', 'isolate-override', 'plaintext'].includes(getComputedStyle(each).unicodeBidi)).length`;
    expect(await at.page.evaluate<number>(unbounded)).toBe(0);
    expect(await at.page.locator('h1').textContent()).toContain('\u202e');
    await at.close();
  });

  it('says everything in the language that is chosen', async () => {
    const at = await open('everything', { language: 'pseudo' });
    for (const [name, to] of PAGES) {
      await at.go(to());
      expect([name, await at.untranslated()]).toEqual([name, []]);
    }
    await at.close();
  });

  it('shows a viewer nothing that changes anything', async () => {
    const at = await open('viewer');
    const pages = await at.page.locator('nav.nav a').allTextContents();
    expect(pages).toEqual(['Overview', 'Campaigns', 'Contents', 'Rules', 'Devices', 'Operations']);
    for (const to of [
      `/campaigns/${ids.campaign}`,
      `/contents/${ids.content}`,
      `/devices/${ids.device}`,
      '/operations',
    ]) {
      await at.go(to);
      expect([to, (await at.buttons()).filter((text) => !HARMLESS.includes(text))]).toEqual([to, []]);
    }
    await at.go('/people');
    await at.page.getByText('This is not for your role').waitFor();
    await at.close();
  });

  it('brings a file over a line that is cut twice through rule, dry run, review and launch to the handsets', async () => {
    const author = await open('author');
    const file = path.join(muster.folder.path, 'wallet.bin');
    writeFileSync(file, Buffer.alloc(BIG, 7));
    let cuts = 0;
    let isReloaded = false;
    await author.page.route('**/v1/uploads/*', (route) => {
      const offset = Number(route.request().headers()['upload-offset'] ?? 0);
      if (cuts < 2 && offset >= (cuts + 1) * 4_000_000) {
        cuts += 1;
        return route.abort('connectionreset');
      }
      // The rest stays on its way until the page is loaded anew.
      return isReloaded || offset < 20_000_000 ? route.continue() : undefined;
    });
    await author.go('/contents');
    await author.page.locator('input[type=file]').first().setInputFiles(file);
    await author.page.getByText('goes on after a reload').first().waitFor();
    isReloaded = true;
    await author.page.reload();
    await author.page.getByLabel('Version').fill('2.4');
    expect(cuts).toBe(2);
    await author.page.getByRole('button', { name: 'Add a condition' }).click();
    await author.page.locator('.rule input').fill('Aurora 6');
    await author.page.getByText('device.model == "Aurora 6"').waitFor();
    await author.page.getByRole('button', { name: 'Publish' }).click();
    await author.page.getByText('is a content now').waitFor();

    await author.go('/campaigns/new');
    await author.page.getByLabel('Name of the campaign').fill('Wallet');
    await author.page.getByText('wallet.bin 2.4').click();
    await author.page.getByRole('button', { name: 'Next' }).click();
    await author.page.getByText('the server compares').click();
    await author.page.getByRole('button', { name: 'Next' }).click();
    await author.page.getByRole('button', { name: 'Next' }).click();
    await author.page.getByLabel('More than').fill(String(FAILS_ABOVE * 100));
    await author.page.getByLabel('Not before so many outcomes').fill('3');
    await author.page.getByRole('button', { name: 'Save and try it out' }).click();
    await author.page.getByText('Devices that asked').waitFor();
    await author.page.getByRole('button', { name: 'Next' }).click();
    await author.page.getByRole('button', { name: 'Submit for review' }).click();
    await author.page.getByRole('dialog').getByRole('button', { name: 'Submit for review' }).click();
    await author.page.getByText('Submitted for review.').waitFor();
    const wallet = /campaigns\/([^/]+)/.exec(author.page.url())?.[1] ?? '';

    const approver = await open('approver');
    await approver.go(`/campaigns/${wallet}`);
    await approver.page.getByRole('button', { name: 'Approve', exact: true }).click();
    expect(await approver.axe()).toEqual([]);
    await approver.page.getByRole('dialog').getByRole('button', { name: 'Approve', exact: true }).click();
    await approver.page.getByText('Approved.').waitFor();

    const operator = await open('operator');
    await operator.go(`/campaigns/${wallet}`);
    await operator.page.getByRole('button', { name: 'Launch' }).click();
    await operator.page.getByRole('dialog').getByRole('button', { name: 'Launch' }).click();
    const state = operator.page.locator('.title .state');
    await state.filter({ hasText: 'running' }).waitFor();

    // Nobody reloads from here on: the numbers come by themselves, and so does the halt.
    const devices = [await muster.enrol(), await muster.enrol(), await muster.enrol(), await muster.enrol()];
    await takes(devices[0]!, wallet, 'installed');
    const confirmed = operator.page.locator('[data-step=confirmed]');
    await confirmed.filter({ hasText: '1' }).waitFor();
    const before = new Date().toISOString();
    for (const device of devices.slice(1)) await takes(device, wallet, 'failed');
    await state.filter({ hasText: 'halted by a rule' }).waitFor({ timeout: 60_000 });

    // The page of the past knows nothing of the halt, and lets nobody change anything.
    await operator.go(`/campaigns/${wallet}?as_of=${encodeURIComponent(before)}`);
    await operator.page.getByText('This is the past:').waitFor();
    await state.filter({ hasText: 'running' }).waitFor();
    expect(await confirmed.textContent()).toBe('1');
    expect((await operator.buttons()).filter((text) => ![...HARMLESS, 'Back to now'].includes(text))).toEqual([]);

    // Who is behind the number that failed, for who may read no log.
    await operator.go(`/campaigns/${wallet}`);
    await operator.page.getByRole('link', { name: /^3 / }).first().click();
    await operator.page.getByRole('link', { name: devices[1]!.deviceId }).waitFor();
    await operator.page.getByRole('heading', { name: /^How many, each/ }).waitFor();
    await operator.go(`/devices/${devices[1]!.deviceId}?tab=why&campaign=${wallet}`);
    await operator.page.getByText('device.model == "Aurora 6"').first().waitFor();
    for (const each of [author, approver, operator]) {
      const complaints = each.complaints.filter((text) => !text.includes('ERR_CONNECTION_RESET'));
      expect(complaints.join('\n')).toBe('');
      await each.close();
    }
  });

  it('says whom a rule is for, what it changes, and what it comes to for one device', async () => {
    const at = await open('everything');
    await at.go(`/rules?rule=${encodeURIComponent('device.model == "Aurora 6"')}`);
    const counted = at.page.getByRole('status', { name: 'Whom the rule is for' });
    await counted.getByText('of this audience').waitFor();
    expect(await counted.locator('dd').first().textContent()).toMatch(/^[1-9]/);
    await at.page.getByLabel('Audience').selectOption('beta');
    await counted.getByText('All 0 devices').waitFor();
    await at.page.getByLabel('Audience').selectOption('main');
    await counted.getByText(/All [1-9]|The one device/).waitFor();
    await at.page.getByText('Compare with what is there').click();
    await at.page.getByLabel('Compared with').selectOption({ label: 'A draft' });
    await at.page.getByText('added').waitFor();
    await at.page.getByText('Try it on one device').click();
    await at.page.getByLabel('Label or identifier begins with').fill(ids.device);
    await at.page.locator('input[name=tried-device]').first().check();
    await at.page.getByText('The rule holds for it.').waitFor();
    expect(await at.axe()).toEqual([]);
    await at.page.getByText('CEL', { exact: true }).click();
    await at.page.getByLabel('CEL', { exact: true }).last().fill('device.nonsense == 1');
    await counted.getByText('is not in the schema').waitFor();
    expect(at.complaints.filter((text) => !text.includes('422'))).toEqual([]);
    await at.close();
  });

  it('works by the keyboard', async () => {
    const at = await open('everything');
    await at.page.keyboard.press('Control+k');
    await at.page.getByRole('combobox').fill('devices');
    await at.page.keyboard.press('Enter');
    await at.page.getByRole('heading', { name: 'Devices' }).waitFor();
    await at.page.keyboard.press('g');
    await at.page.keyboard.press('c');
    await at.page.getByRole('heading', { name: 'Campaigns' }).waitFor();
    await at.settled();
    await at.page.keyboard.press('/');
    await at.page.keyboard.type('draft');
    await at.page.getByRole('link', { name: 'A draft' }).waitFor();
    expect(new URL(at.page.url()).searchParams.get('q')).toBe('draft');
    await at.close();
  });

  it('builds a read model anew, and says how that goes, on whatever page', async () => {
    const at = await open('everything');
    await at.go('/operations');
    await at.page.getByRole('button', { name: 'Rebuild campaign_progress' }).click();
    await at.page.locator('.tray').getByText('campaign_progress').waitFor();
    await at.go('/campaigns');
    await at.page.locator('.tray').getByText('done').waitFor({ timeout: 60_000 });
    await at.page.locator('.tray').getByRole('button', { name: 'Remove from the list' }).click();
    expect(await at.page.locator('.tray').count()).toBe(0);
    await at.close();
  });

  it('leaves nothing secret in the output', () => expect(muster.printedSecrets()).toEqual([]));
});
