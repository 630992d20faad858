import { randomBytes } from 'node:crypto';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AtConsole, CHROMIUM, startBrowser } from '../support/browser.js';
import { Installation, PASSWORD } from '../support/installation.js';
import { canRun } from '../support/prerequisites.js';

/*
 * What the console offers to whom. The table is written by hand, like the one of `roles.spec.ts` for the routes: page by page
 * every button, link and field that changes something or goes to a page that does, and whose it is. What is in nobody's row
 * changes nothing: filters, the slider of the past, lines to copy.
 */

const ROLES = ['viewer', 'author', 'approver', 'operator', 'analyst', 'admin'] as const;
/** Nobody in particular has no role; who is confined has them all, in one security domain. */
const WHO = [...ROLES, 'nobody', 'confined'] as const;
type Who = (typeof WHO)[number];

const OFFERS: Record<string, Partial<Record<Who, string[]>>> = {
  overview: { author: ['New campaign'] },
  campaigns: { author: ['New campaign'] },
  'a draft': { author: ['Edit', 'Submit for review'] },
  'in review': { author: ['Edit'], approver: ['Approve', 'Give back'] },
  approved: { author: ['Edit'], approver: ['Give back'], operator: ['Launch'] },
  running: { operator: ['Widen wave', 'Pause', 'Complete', 'Abort', 'Undo'] },
  paused: { operator: ['Widen wave', 'Resume', 'Complete', 'Abort', 'Undo'] },
  aborted: { author: ['Try again'], operator: ['Undo'] },
  'new campaign': { author: ['Next'] },
  'edit a draft': { author: ['Next'] },
  contents: { author: ['Choose files'] },
  'a content': { author: ['Withdraw'] },
  rules: {},
  devices: { operator: ['Connect a device'], admin: ['Connect a device'] },
  'a device': { operator: ['Revoke', 'Forget'], admin: ['Revoke', 'Forget'] },
  people: { admin: ['Add a person', 'Change'] },
  tokens: { admin: ['Issue a token'] },
  house: { operator: ['Save'], admin: ['Save'] },
  operations: { admin: ['Rebuild', 'Verify'] },
};
const OFFERED = new Set(Object.values(OFFERS).flatMap((byWhom) => Object.values(byWhom).flat()));
/** Of anybody: nothing changes by them. */
const HARMLESS = [
  ...['Copy', 'As a table', 'Saved views', 'Name', 'State', 'Audience', 'Wave', 'Version', 'Size', 'Used by campaigns'],
  ...['Add a condition', 'Add a group'], // of a rule that is tried, and nowhere kept
];

const READERS = ['Overview', 'Campaigns', 'Contents', 'Rules', 'Devices', 'Operations'];
const PAGES_OF: Record<Who, string[]> = {
  ...{ viewer: READERS, author: READERS, approver: READERS, operator: READERS, analyst: READERS },
  admin: ['Overview', 'Campaigns', 'Contents', 'Rules', 'Devices', 'People', 'Operations'],
  nobody: ['Overview'],
  confined: ['Overview'],
};

let muster: Installation;
let browser: Browser;
const paths: Record<string, string> = {
  overview: '/',
  campaigns: '/campaigns',
  'new campaign': '/campaigns/new',
  contents: '/contents',
  rules: '/rules',
  devices: '/devices',
  people: '/people',
  tokens: '/people?tab=tokens',
  house: '/people?tab=house',
  operations: '/operations',
};
const mailOf = (who: Who) => `the-${who}@main.example`;

const act = (campaignId: string, verb: string, body: object, token = muster.admin) =>
  muster.ok('POST', `/v1/campaigns/${campaignId}/${verb}`, { token, body, headers: { 'if-match': '*' } });

async function preparePeople(): Promise<void> {
  for (const who of WHO) {
    const roles = who === 'nobody' ? [] : who === 'confined' ? ROLES : [who];
    const scope = who === 'confined' ? { domain: 'A000000151000000' } : {};
    await muster.ok('POST', '/v1/users', {
      body: { name: who, email: mailOf(who), password: PASSWORD, roles, ...scope },
    });
  }
}

/** A campaign in each state that has acts of its own. */
async function prepareCampaigns(contentId: string): Promise<void> {
  const approver = await muster.login('main', mailOf('approver'));
  await muster.ok('PUT', '/v1/review', { headers: { 'if-match': '*' }, body: { approvals: 1 } });
  const brought: Record<string, readonly (readonly [verb: string, body: object, token?: string])[]> = {
    'a draft': [],
    'in review': [['submit', {}]],
    approved: [
      ['submit', {}],
      ['approve', {}, approver],
    ],
    running: [
      ['submit', {}],
      ['approve', {}, approver],
      ['schedule', {}],
    ],
    paused: [
      ['submit', {}],
      ['approve', {}, approver],
      ['schedule', {}],
      ['pause', { kind: 'soft', reason: 'why' }],
    ],
    aborted: [
      ...([
        ['submit', {}],
        ['approve', {}, approver],
        ['schedule', {}],
      ] as const),
      ['abort', { disposition: 'keep', reason: 'why' }],
    ],
  };
  for (const [name, acts] of Object.entries(brought)) {
    const campaignId = await muster.draft([contentId], { name, mode: 'server', waveUpTo: 5_000 });
    for (const [verb, body, token] of acts) await act(campaignId, verb, body, token);
    paths[name] = `/campaigns/${campaignId}`;
  }
  paths['edit a draft'] = `${paths['a draft']}/edit`;
}

/** What can be pressed or filled in, by what it says. */
async function offersOf(at: AtConsole): Promise<string[]> {
  const names = await at.page
    .locator('main button:enabled:visible, main a[class*=Button-root]:visible')
    .allTextContents();
  const said = names.map((name) => name.replace(/\u00a0.*$/, '')).filter((name) => !HARMLESS.includes(name));
  return [...new Set(said)].filter((name) => name !== '').sort();
}

describe.runIf(canRun(CHROMIUM, 'what the console offers to whom'))('the console offers', () => {
  beforeAll(async () => {
    muster = await Installation.start('console-roles');
    browser = await startBrowser();
    await preparePeople();
    await muster.ok('PUT', '/v1/schema', { body: { version: 1, attributes: { model: { type: 'string' } } } });
    const contentId = await muster.publish(randomBytes(100));
    await prepareCampaigns(contentId);
    const { deviceId } = await muster.enrol();
    Object.assign(paths, { 'a content': `/contents/${contentId}`, 'a device': `/devices/${deviceId}` });
    await muster.settledEnd();
  });
  afterAll(async () => {
    await browser?.close();
    await muster?.stop();
  });

  it.each(WHO)('to %s what the table says, and nothing else', async (who) => {
    const at = await (await AtConsole.open(browser, muster.server.url)).signIn(mailOf(who));
    expect(await at.page.locator('nav.nav a').allTextContents()).toEqual(PAGES_OF[who]);
    for (const [name, byWhom] of Object.entries(OFFERS)) {
      await at.go(paths[name]!);
      expect([name, await offersOf(at)]).toEqual([name, [...(byWhom[who] ?? [])].sort()]);
      const fields = await at.page.locator('main form :is(input, textarea, select):enabled:visible').count();
      if ((byWhom[who] ?? []).length === 0) expect([name, fields]).toEqual([name, 0]);
    }
    await at.page.keyboard.press('Control+k');
    await at.page.getByRole('option').first().waitFor();
    await at.settled();
    const palette = await at.page.getByRole('option').allTextContents();
    const entries = palette.filter((text) => OFFERED.has(text));
    expect(entries).toEqual(who === 'author' ? ['New campaign'] : []);
    await at.close();
  });
});
