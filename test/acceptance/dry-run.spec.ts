import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asSuperuser } from '../support/database-scan.js';
import { type Answer, expectProblem, expectStatus, Installation, type Sending } from '../support/installation.js';
import { addressOf, describedRoutes, type Route } from '../support/routes.js';
import { Cli } from '../support/server.js';

/*
 * Every change that people can make, first with `?dry_run=true` and then in earnest: the same status and the same shape of
 * answer, and after the first no event, no row and no file more than before.
 */

type Wish = Sending & { ids?: Record<string, string> };

let muster: Installation;
const people = { author: '', approver: '' };
const ids = {
  campaign: '',
  other: '',
  content: '',
  device: '',
  controller: '',
  code: '',
  token: '',
  person: '',
  webhook: '',
  version: 0,
};
let passphrase = '';
let n = 0;

const reason = { reason: 'r' };
const ifMatch = { 'if-match': '*' };
const settings = () => ({ name: `radio ${(n += 1)}`, contents: [ids.content], mode: 'server', waveUpTo: 100 });
const ofCampaign = (body: object = {}, more: Wish = {}): Wish => ({
  ids: { campaignId: ids.campaign },
  headers: ifMatch,
  body,
  ...more,
});

/** In this order, each in the state that those before it have led to. */
const WISHES: readonly (readonly [name: string, wish: () => Wish | Promise<Wish>])[] = [
  ['POST /v1/contents', async () => ({ body: await upload() })],
  ['PUT /v1/schema', () => ({ body: { version: 1, attributes: { tariff: { type: 'string' } } } })],
  ['PUT /v1/rules/{channel}', () => ({ ids: { channel: 'main' }, body: { version: 2, rules: [] } })],
  ['PUT /v1/review', () => ({ body: { approvals: 1 } })],
  ['PUT /v1/caps', () => ({ body: { transfers: 500, bytesPerSecond: null, bytesPerDay: null } })],
  ['POST /v1/channels', () => ({ body: { channel: 'beta' } })],
  ['POST /v1/keys/{channel}/rotate', () => ({ ids: { channel: 'beta' }, body: { role: 'targets', passphrase } })],
  ['PUT /v1/channels/{channel}/wake', () => ({ ids: { channel: 'beta' }, body: { url: 'https://push.example/' } })],
  ['DELETE /v1/channels/{channel}/wake', () => ({ ids: { channel: 'beta' } })],
  // Removed before there are campaigns, or its deliveries would be rows that come by themselves.
  ['POST /v1/webhooks', () => ({ body: { url: 'https://hooks.example/' } })],
  [
    'PUT /v1/webhooks/{webhookId}',
    () => ({ ids: { webhookId: ids.webhook }, body: { url: 'https://hooks.example/', kinds: ['halted'] } }),
  ],
  ['POST /v1/webhooks/{webhookId}/secret', () => ({ ids: { webhookId: ids.webhook } })],
  ['DELETE /v1/webhooks/{webhookId}', () => ({ ids: { webhookId: ids.webhook } })],
  ['POST /v1/campaigns', () => ({ token: people.author, body: settings() })],
  ['PUT /v1/campaigns/{campaignId}', () => ofCampaign(settings(), { token: people.author })],
  ['POST /v1/campaigns/{campaignId}/submit', () => ofCampaign({}, { token: people.author })],
  ['POST /v1/campaigns/{campaignId}/reject', () => ofCampaign(reason, { token: people.approver })],
  ['POST /v1/campaigns/{campaignId}/submit', () => ofCampaign({}, { token: people.author })],
  ['POST /v1/campaigns/{campaignId}/approve', () => ofCampaign({}, { token: people.approver })],
  ['POST /v1/campaigns/{campaignId}/schedule', () => ofCampaign()],
  ['POST /v1/campaigns/{campaignId}/wave', () => ofCampaign({ waveUpTo: 10_000 })],
  ['POST /v1/campaigns/{campaignId}/undo', () => ofCampaign(reason)],
  ['POST /v1/campaigns/{campaignId}/pause', () => ofCampaign(reason)],
  ['POST /v1/campaigns/{campaignId}/resume', () => ofCampaign()],
  ['POST /v1/campaigns/{campaignId}/complete', () => ofCampaign(reason)],
  ['POST /v1/campaigns/{campaignId}/retry', () => ofCampaign({ outcomes: ['failed'] }, { token: people.author })],
  ['POST /v1/campaigns/{campaignId}/abort', () => ofCampaign(reason, { ids: { campaignId: ids.other } })],
  ['POST /v1/contents/{contentId}/withdraw', () => ({ ids: { contentId: ids.content }, body: reason })],
  ['POST /v1/enrolment-codes', () => ({ body: { label: 'van 7' } })],
  ['POST /v1/enrolment-codes/bulk', () => ({ body: 'label\nvan 8\n', headers: { 'content-type': 'text/csv' } })],
  ['POST /v1/enrolment-codes/{id}/revoke', () => ({ ids: { id: ids.code } })],
  ['PUT /v1/devices/{id}/attributes', () => ({ ids: { id: ids.device }, body: { attributes: { tariff: 'gold' } } })],
  ['POST /v1/devices', () => ({ body: { controllerId: 'gateway-7' } })],
  ['POST /v1/devices/{id}/target-token', () => ({ ids: { id: ids.controller } })],
  ['POST /v1/devices/{id}/replace', () => ({ ids: { id: ids.device }, body: {} })],
  ['POST /v1/devices/{id}/revoke', () => ({ ids: { id: ids.device }, body: reason })],
  ['POST /v1/devices/{id}/forget', () => ({ ids: { id: ids.device }, body: reason })],
  [
    'POST /v1/tenants',
    () => ({
      body: {
        tenant: 'beta',
        name: 'Beta',
        administrator: { email: 'root@beta.test', name: 'Root', password: 'correct horse battery' },
      },
    }),
  ],
  [
    'POST /v1/users',
    () => ({ body: { email: 'p@main.test', name: 'P', password: 'correct horse battery', roles: [] } }),
  ],
  [
    'PATCH /v1/users/{id}',
    () => ({ ids: { id: ids.person }, headers: { 'if-match': '"v1"' }, body: { name: 'Q', roles: ['viewer'] } }),
  ],
  ['POST /v1/tokens', () => ({ body: { name: 'reader', roles: ['viewer'] } })],
  ['POST /v1/tokens/{id}/revoke', () => ({ ids: { id: ids.token } })],
];

/** What is done or not done; what it would need is not looked at. */
const NEVER_DRY = [
  'POST /v1/campaigns/{campaignId}/wake',
  'PUT /v1/me/password',
  'POST /v1/operations/{id}/cancel',
  'POST /v1/projections/{name}/rebuild',
  'POST /v1/projections/{name}/unpark',
  'POST /v1/projections/{name}/verify',
  'DELETE /v1/sessions/current',
  'POST /v1/sessions',
  'POST /v1/uploads',
  'DELETE /v1/uploads/{uploadId}',
  'PATCH /v1/uploads/{uploadId}',
  'POST /v1/webhooks/{webhookId}/test',
];

/** What later wishes need of an answer. */
const LEARNT: Record<string, (body: Record<string, string>) => void> = {
  'POST /v1/contents': ({ contentId }) => void (ids.content = contentId!),
  'POST /v1/webhooks': ({ webhookId, secret }) => void ((ids.webhook = webhookId!), muster.secret(secret!)),
  'POST /v1/channels': (body) => void (passphrase = muster.secret(body.passphrase!)),
  'POST /v1/campaigns': ({ campaignId }) => void (ids.campaign = campaignId!),
  'POST /v1/campaigns/{campaignId}/retry': ({ campaignId }) => void (ids.other = campaignId!),
  'POST /v1/enrolment-codes': ({ id, code }) => void ((ids.code = id!), muster.secret(code!)),
  'POST /v1/devices': ({ id, targetToken }) => void ((ids.controller = id!), muster.secret(targetToken!)),
  'POST /v1/users': ({ id }) => void (ids.person = id!),
  'POST /v1/tokens': ({ id, token }) => void ((ids.token = id!), muster.secret(token!)),
};

const changes = describedRoutes().filter(
  ({ method, isHandset }) => !isHandset && method !== 'GET' && method !== 'HEAD',
);
const routeOf = (name: string): Route => changes.find((route) => route.name === name)!;

async function upload(): Promise<object> {
  const uploadId = await muster.upload(randomBytes(100));
  return { uploadId, description: { name: 'radio.bin', version: '1' } };
}

function ask(name: string, { ids: named = {}, ...sending }: Wish, query = ''): Promise<Answer> {
  const route = routeOf(name);
  return muster.people(route.method, `${addressOf(route, (parameter) => named[parameter] ?? 'x')}${query}`, sending);
}

/** Where the log ends, and a digest of every operational row, but for what follows from being there: when a session was seen, how far a duty has read. */
function standing(): Promise<unknown> {
  return asSuperuser(muster.server.data, async (client) => {
    const { rows: heads } = await client.query('select topic, part, next_off from log.head order by 1, 2');
    const { rows: tables } = await client.query<{ name: string }>(
      `select tablename as name from pg_tables where schemaname = 'ops' and tablename not in ('session', 'duty') order by 1`,
    );
    const rows: Record<string, unknown> = {};
    for (const { name } of tables) {
      const digest = `select count(*) as count, md5(string_agg(t::text, ' ' order by t::text)) as digest from ops.${name} t`;
      rows[name] = (await client.query(digest)).rows[0];
    }
    return { heads, rows };
  });
}

/** Names, and the names in what is named, of an answer. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])];
  if (typeof value !== 'object' || value === null) return typeof value === 'object' ? 'nothing' : typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, shapeOf(part)]));
}

beforeAll(async () => {
  muster = await Installation.start('dry-run');
  people.author = (await muster.addPerson('main', muster.admin, ['author'])).token;
  people.approver = (await muster.addPerson('main', muster.admin, ['approver'])).token;
  ids.device = (await muster.enrol()).deviceId;
});
afterAll(() => muster.stop());

describe('a change that is only tried', () => {
  it('is one of every route that changes anything, or is refused there', () => {
    const tried = [...new Set(WISHES.map(([name]) => name))];
    expect([...tried, ...NEVER_DRY].sort()).toEqual(changes.map(({ name }) => name).sort());
  });

  it.each(WISHES)('%s answers as in earnest, and changes nothing', async (name, wish) => {
    const wanted = await wish();
    await muster.settledEnd();
    const before = await standing();
    const dry = await ask(name, wanted, '?dry_run=true');
    expect([dry.status, dry.headers['muster-dry-run']], dry.bytes.toString('utf8')).toEqual([dry.status, 'true']);
    expect(await standing()).toEqual(before);
    const earnest = await ask(name, wanted);
    expect(earnest.headers['muster-dry-run']).toBeUndefined();
    expect([earnest.status, shapeOf(earnest.body)]).toEqual([dry.status, shapeOf(dry.body)]);
    expect([200, 201, 204], earnest.bytes.toString('utf8')).toContain(earnest.status);
    expect(await standing()).not.toEqual(before);
    LEARNT[name]?.(earnest.body as Record<string, string>);
  });

  // What the one before did in earnest may still have its consequences: those are awaited, and only what comes then is the attempt's.
  it.each(NEVER_DRY)('%s is refused', async (name) => {
    await muster.settledEnd();
    let before = await standing();
    for (let again: unknown; JSON.stringify(again) !== JSON.stringify(before); ) {
      again = before;
      await new Promise((resolve) => setTimeout(resolve, 500));
      before = await standing();
    }
    const answer = await ask(name, { headers: { ...ifMatch, 'tus-resumable': '1.0.0' } }, '?dry_run=true');
    expectProblem(answer, 400, 'dry-run.unsupported', '/dry_run');
    expect(await standing()).toEqual(before);
  });

  it('is refused as it would be in earnest', async () => {
    const twice = {
      tenant: 'beta',
      name: 'Beta',
      administrator: { email: 'a@b.test', name: 'R', password: 'correct horse battery' },
    };
    expectProblem(await muster.people('POST', '/v1/tenants?dry_run=true', { body: twice }), 409, 'tenant.exists');
    const wrong = await muster.people('PUT', '/v1/review?dry_run=true', { body: { approvals: 11 } });
    expectProblem(wrong, 400, 'validation.failed', '/approvals');
    expect((await muster.people('PUT', '/v1/review?dry_run=true', { token: people.author, body: {} })).status).toBe(
      403,
    );
    const neither = await muster.people('PUT', '/v1/review?dry_run=perhaps', { body: { approvals: 1 } });
    expectProblem(neither, 400, 'dry-run.malformed', '/dry_run');
  });

  it('takes no Idempotency-Key: the same one is good for doing it', async () => {
    const sending = { body: { name: 'keyed', roles: [] }, headers: { 'idempotency-key': 'tried-first' } };
    await muster.ok('POST', '/v1/tokens?dry_run=true', sending);
    const { id } = await muster.ok('POST', '/v1/tokens', sending);
    const { items } = await muster.ok<{ items: { id: string }[] }>('GET', '/v1/tokens');
    expect(items.map((token) => token.id)).toContain(id);
  });

  it('keeps nobody waiting who means it', async () => {
    const set = (query: string, transfers: number) =>
      muster.people('PUT', `/v1/caps${query}`, { body: { transfers, bytesPerSecond: null, bytesPerDay: null } });
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => set(i % 2 === 0 ? '?dry_run=true' : '', 1_000 + i)),
    );
    const earnest = answers.filter((_, i) => i % 2 === 1).map(({ status }) => status);
    expect(earnest.every((status) => status === 200 || status === 409)).toBe(true);
    const caps = await muster.ok<{ transfers: number }>('GET', '/v1/caps');
    expect(caps.transfers % 2).toBe(1);
  });

  it('is there for the command line, wherever the word stands', async () => {
    const cli = await new Cli(muster.server, path.join(muster.folder.path, 'manager')).login();
    const before = await standing();
    const { output } = await cli.try('--dry-run', 'channel', 'add', 'gamma');
    expect(output).toContain('nothing is changed');
    expect(await cli.text('channel', 'add', 'gamma', '--dry-run')).toContain('gamma');
    expect(await standing()).toEqual(before);
    expect(await cli.text('channel', 'list')).not.toContain('gamma');
    expectStatus(await muster.people('GET', '/v1/keys/gamma'), 404);
  });

  it('leaves nothing secret in the output', () => expect(muster.printedSecrets()).toEqual([]));
});
