import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, type Enrolled, expectProblem, expectStatus, Installation, TUS } from '../support/installation.js';
import { addressOf, describedRoutes, type Route } from '../support/routes.js';

/*
 * Two tenants with one of everything each. By every route of the OpenAPI document one of them asks for what is the
 * other's: it is not there, nothing of it changes, and no list holds it.
 */

interface World {
  tenant: string;
  /** Session of its administrator, who has every role in the tenant. */
  token: string;
  device: Enrolled;
  grant: string;
  /** Channel that the other tenant has not. */
  channel: string;
  /** By kind. */
  ids: Record<
    'user' | 'token' | 'code' | 'device' | 'content' | 'campaign' | 'upload' | 'operation' | 'webhook',
    string
  >;
  /** Names that occur nowhere else. */
  canaries: string[];
}

let muster: Installation;
let alpha: World;
let beta: World;

beforeAll(async () => {
  muster = await Installation.start('tenants');
  alpha = await furnish('alpha');
  beta = await furnish('beta');
});
afterAll(() => muster.stop());

async function furnish(tenant: string): Promise<World> {
  const token = await muster.addTenant(tenant);
  const canary = (kind: string): string => `${tenant}-${kind}-${randomBytes(6).toString('hex')}`;
  const canaries = ['attribute', 'token', 'label', 'campaign', 'rule'].map(canary);
  const [attribute, tokenName, label, name, rule] = canaries as [string, string, string, string, string];
  const channel = `only-${tenant}`;
  const ok = <T>(method: string, url: string, body?: object) => muster.ok<T>(method, url, { token, body });
  await ok('POST', '/v1/channels', { channel });
  const schema = { version: 1, attributes: { [attribute.replaceAll('-', '_')]: { type: 'string' } } };
  await ok('PUT', '/v1/schema', schema);
  await ok('PUT', `/v1/channels/${channel}/wake`, { url: `https://push.example/${tenant}` });
  const hook = { url: `https://hooks.example/${tenant}`, kinds: ['halted'] };
  const { webhookId, secret } = await ok<{ webhookId: string; secret: string }>('POST', '/v1/webhooks', hook);
  muster.secret(secret);
  await ok('PUT', `/v1/rules/${channel}`, { version: 2, rules: [{ id: rule, on: ['boot'] }] });
  const device = await muster.enrol(token);
  const contentId = await muster.publish(randomBytes(100), token);
  const campaignId = await muster.draft([contentId], { name }, token);
  await muster.schedule(campaignId, token);
  const requests = { snapshotVersion: 1, requests: [{ contentId, campaignId }] };
  const answer = expectStatus(await muster.handset('POST', '/d/v1/requests', { device, body: requests }), 200);
  const { grant } = (answer.body as { answers: { grant: string }[] }).answers[0]!;
  const { id } = await muster.addPerson(tenant, token, ['viewer']);
  const issued = await ok<{ id: string; token: string }>('POST', '/v1/tokens', { name: tokenName, roles: ['viewer'] });
  const operation = await ok<{ id: string }>('POST', '/v1/projections/device_timeline/verify');
  const ids = {
    user: id,
    token: issued.id,
    code: (await muster.newCode(token, { label })).id,
    device: device.deviceId,
    content: contentId,
    campaign: campaignId,
    upload: await muster.upload(randomBytes(10), token),
    operation: operation.id,
    webhook: webhookId,
  };
  muster.secret(issued.token);
  return {
    tenant,
    token,
    device,
    grant: muster.secret(grant),
    channel,
    ids,
    canaries: [...canaries, attribute.replaceAll('-', '_')],
  };
}

/** What belongs to a tenant and is found in an answer of the other. */
const leaked = ({ tenant, ids, canaries, channel, device }: World, answer: Answer): string[] => {
  const text = `${JSON.stringify(answer.headers)}${answer.bytes.toString('utf8')}`;
  return [...Object.values(ids), ...canaries, channel, device.deviceId, `root@${tenant}.test`].filter((mark) =>
    text.includes(mark),
  );
};

const routes = describedRoutes().filter(({ isHandset }) => !isHandset);

/** Bodies that are right, so that what is refused is the tenant and not the form. */
const reason = { reason: 'r' };
const BODIES: Record<string, () => object> = {
  'PUT /v1/campaigns/{campaignId}': () => ({ name: 'taken', contents: [beta.ids.content] }),
  'POST /v1/campaigns/{campaignId}/abort': () => reason,
  'POST /v1/campaigns/{campaignId}/approve': () => ({}),
  'POST /v1/campaigns/{campaignId}/reject': () => reason,
  'POST /v1/campaigns/{campaignId}/resume': () => ({}),
  'POST /v1/campaigns/{campaignId}/retry': () => ({ outcomes: ['failed'] }),
  'POST /v1/campaigns/{campaignId}/submit': () => ({}),
  'POST /v1/campaigns/{campaignId}/undo': () => reason,
  'POST /v1/campaigns/{campaignId}/complete': () => reason,
  'POST /v1/campaigns/{campaignId}/pause': () => reason,
  'POST /v1/campaigns/{campaignId}/schedule': () => ({}),
  'POST /v1/campaigns/{campaignId}/wave': () => ({ waveUpTo: 10_000 }),
  'POST /v1/campaigns/{campaignId}/wake': () => ({}),
  'PUT /v1/channels/{channel}/wake': () => ({ url: 'https://push.example/' }),
  'POST /v1/contents/{contentId}/withdraw': () => reason,
  'PUT /v1/devices/{id}/attributes': () => ({ attributes: {} }),
  'POST /v1/devices/{id}/forget': () => reason,
  'POST /v1/devices/{id}/replace': () => ({}),
  'POST /v1/devices/{id}/revoke': () => reason,
  'POST /v1/keys/{channel}/rotate': () => ({ role: 'grant' }),
  'PUT /v1/rules/{channel}': () => ({ version: 3, rules: [] }),
  'PATCH /v1/users/{id}': () => ({ name: 'Taken' }),
  'PUT /v1/webhooks/{webhookId}': () => ({ url: 'https://hooks.example/taken' }),
};
/** What a question cannot do without. */
const QUERIES: Record<string, (asker: World) => string> = {
  'GET /v1/devices/{id}/explain': ({ ids }) => `?campaign=${ids.campaign}`,
  'GET /v1/devices/{id}/fit': () => '?selector=true',
};
/** Read models are of the installation; their names are nobody's. */
const OF_THE_INSTALLATION = [
  'GET /v1/projections/{name}',
  'POST /v1/projections/{name}/rebuild',
  'POST /v1/projections/{name}/unpark',
  'POST /v1/projections/{name}/verify',
];
const withIds = routes.filter(({ name, parameters }) => parameters.length > 0 && !OF_THE_INSTALLATION.includes(name));

const ask = (route: Route, asker: World, value: string): Promise<Answer> => {
  const { token } = asker;
  const headers: Record<string, string> = { 'if-match': '*' };
  if (route.path.startsWith('/v1/uploads')) Object.assign(headers, TUS);
  if (route.method === 'PATCH' && route.path.startsWith('/v1/uploads'))
    Object.assign(headers, { 'upload-offset': '10', 'content-type': 'application/offset+octet-stream' });
  return muster.people(route.method, `${addressOf(route, () => value)}${QUERIES[route.name]?.(asker) ?? ''}`, {
    token,
    headers,
    body: BODIES[route.name]?.(),
  });
};

/** Everything that a tenant sees of its own. */
async function seenBy(world: World): Promise<unknown[]> {
  const own = [
    ...['campaigns', 'contents', 'devices', 'users', 'tokens', 'enrolment-codes', 'channels', 'schema', 'webhooks'].map(
      (list) => `/v1/${list}`,
    ),
    `/v1/rules/${world.channel}`,
    `/v1/keys/${world.channel}`,
  ];
  const answers = await Promise.all(own.map((url) => muster.people('GET', url, { token: world.token })));
  const upload = await muster.people('HEAD', `/v1/uploads/${world.ids.upload}`, { token: world.token, headers: TUS });
  return [...answers.map((answer) => expectStatus(answer, 200).body), upload.headers['upload-offset']];
}

describe('what is another tenant’s', () => {
  it('is known with a right body for every route that takes one', () => {
    const bodied = withIds.filter(({ takesJson }) => takesJson).map(({ name }) => name);
    expect(Object.keys(BODIES).sort()).toEqual(bodied.sort());
  });

  it('is not there, by every route and every kind of id', async () => {
    const end = await muster.settledEnd();
    const before = await seenBy(alpha);
    const found: string[] = [];
    let asked = 0;
    for (const route of withIds) {
      const isOfChannel = route.parameters.includes('channel');
      for (const [kind, id] of isOfChannel ? [['channel', alpha.channel] as const] : Object.entries(alpha.ids)) {
        const answer = await ask(route, beta, id);
        asked += 1;
        if (answer.status !== 404)
          found.push(`${route.name} of ${kind}: ${answer.status} ${answer.bytes.toString('utf8')}`);
      }
    }
    expect(found).toEqual([]);
    expect(asked).toBeGreaterThan(190);
    expect(await seenBy(alpha)).toEqual(before);
    await muster.expectNothingSince(end);
  });

  it('is there for its own tenant: the same question by the same route, as a control', async () => {
    const reads = withIds.filter(({ method }) => method === 'GET');
    const kindOf = ({ path, parameters: [parameter] }: Route): string => {
      if (parameter === 'channel') return alpha.channel;
      const kind = /^\/v1\/([a-z-]+)s\//.exec(path)?.[1] ?? '';
      return alpha.ids[kind as keyof World['ids']];
    };
    for (const route of reads)
      expect([route.name, (await ask(route, alpha, kindOf(route))).status]).toEqual([route.name, 200]);
    expect(reads.length).toBeGreaterThan(8);
  });

  it('is in no list, feed or measure', async () => {
    const lists = routes.filter(
      ({ method, parameters, path }) => method === 'GET' && parameters.length === 0 && path !== '/v1/live',
    );
    for (const { path } of lists) {
      const answer = expectStatus(await muster.people('GET', path, { token: beta.token }), 200);
      expect([path, leaked(alpha, answer)]).toEqual([path, []]);
    }
    expect(lists.length).toBeGreaterThan(15);
    const events = await muster.people('GET', `/v1/events?limit=200&subject=${alpha.ids.campaign}`, {
      token: beta.token,
    });
    expect(expectStatus(events, 200).body).toMatchObject({ items: [] });
  });

  it('does not come by a cursor or a position of the other', async () => {
    for (const list of ['campaigns', 'contents', 'devices', 'users', 'tokens', 'enrolment-codes']) {
      await muster.ok('POST', '/v1/tokens', { token: alpha.token, body: { name: 'one more', roles: [] } });
      const { next } = await muster.ok<{ next: string | null }>('GET', `/v1/${list}?limit=1`, { token: alpha.token });
      if (next === null) continue;
      const answer = await muster.people('GET', `/v1/${list}?limit=1&cursor=${encodeURIComponent(next)}`, {
        token: beta.token,
      });
      expect([list, answer.status < 500, leaked(alpha, answer)]).toEqual([list, true, []]);
    }
    const { position } = await muster.ok<{ position: string }>('GET', '/v1/events?limit=1', { token: alpha.token });
    const events = await muster.people('GET', `/v1/events?limit=200&from=${position}`, { token: beta.token });
    expect(leaked(alpha, expectStatus(events, 200))).toEqual([]);
  });

  it('does not come by an Idempotency-Key that both use', async () => {
    const sending = { body: {}, headers: { 'idempotency-key': 'the-same' } };
    const first = await muster.ok<{ id: string }>('POST', '/v1/enrolment-codes', { ...sending, token: alpha.token });
    const second = await muster.ok<{ id: string }>('POST', '/v1/enrolment-codes', { ...sending, token: beta.token });
    expect(second.id).not.toBe(first.id);
  });

  it('cannot be named in a body: an upload, a content, a channel', async () => {
    const description = { name: 'a', version: '1' };
    const end = await muster.settledEnd();
    const post = (url: string, body: object) => muster.people('POST', url, { token: beta.token, body });
    const publish = await post('/v1/contents', { uploadId: alpha.ids.upload, description });
    expectProblem(publish, 404, 'upload.unknown', '/uploadId');
    const draft = await post('/v1/campaigns', { name: 'a', contents: [beta.ids.content, alpha.ids.content] });
    expectProblem(draft, 404, 'content.unknown', '/contents/1');
    const astray = await post('/v1/campaigns', { name: 'a', contents: [beta.ids.content], channel: alpha.channel });
    expectProblem(astray, 404, 'channel.unknown', '/channel');
    await muster.expectNothingSince(end);
  });

  it('cannot be logged in to, and is not in the live stream', async () => {
    const body = { tenant: 'alpha', email: 'root@beta.test', password: 'correct horse battery' };
    expectProblem(await muster.people('POST', '/v1/sessions', { token: '', body }), 401, 'auth.invalid');
    const headers = { authorization: `Bearer ${beta.token}` };
    const stop = new AbortController();
    const live = await fetch(`${muster.server.url}/v1/live`, { headers, signal: stop.signal });
    const theirs = await muster.draft([alpha.ids.content], {}, alpha.token);
    const own = await muster.draft([beta.ids.content], {}, beta.token);
    let text = '';
    const reader = live.body!.pipeThrough(new TextDecoderStream()).getReader();
    while (!text.includes(own)) text += (await reader.read()).value ?? '';
    stop.abort();
    expect(text).not.toContain(theirs);
    expect(text).not.toContain(alpha.ids.campaign);
  });
});

describe('a handset of another tenant', () => {
  const by = (url: string, body: object) => muster.handset('POST', url, { device: beta.device, body });

  it('is not offered it, cannot decline it and gets no byte of it, with a stolen grant either', async () => {
    const ref = { contentId: alpha.ids.content, campaignId: alpha.ids.campaign };
    const asked = expectStatus(await by('/d/v1/requests', { snapshotVersion: 1, requests: [ref] }), 200);
    expect(asked.body).toEqual({ answers: [{ ...ref, gate: 'not-offered' }] });
    const end = await muster.settledEnd();
    const declines = [{ ...ref, reason: 'user' }];
    expectProblem(await by('/d/v1/declines', { snapshotVersion: 1, declines }), 404, 'offer.unknown', '/declines/0');
    for (const grant of [alpha.grant, beta.grant]) {
      const headers = { authorization: `Grant ${grant}` };
      const answer = await muster.handset('GET', `/d/v1/contents/${ref.contentId}`, { device: beta.device, headers });
      expect(answer.status).toBeGreaterThanOrEqual(401);
      expect(answer.status).toBeLessThanOrEqual(403);
    }
    await muster.expectNothingSince(end);
    const own = { authorization: `Grant ${alpha.grant}` };
    expectStatus(
      await muster.handset('GET', `/d/v1/contents/${ref.contentId}`, { device: alpha.device, headers: own }),
      200,
    );
  });

  it('finds nothing of it in its inbox, and no fact of it moves the campaign', async () => {
    const inbox = await muster.handset('GET', '/d/v1/inbox', { device: beta.device });
    expect(leaked(alpha, expectStatus(inbox, 200))).toEqual([]);
    const url = `/v1/campaigns/${alpha.ids.campaign}/progress`;
    const { funnel } = await muster.ok<{ funnel: object }>('GET', url, { token: alpha.token });
    const data = { contentId: alpha.ids.content, campaignId: alpha.ids.campaign, bytes: 100, sha256: 'ab'.repeat(32) };
    const fact = {
      seq: { epoch: beta.device.epoch, n: 1 },
      type: 'TransferCompleted',
      occurredAt: new Date().toISOString(),
      data,
    };
    await by('/d/v1/facts', { facts: [fact] });
    await muster.settledEnd();
    expect((await muster.ok<{ funnel: object }>('GET', url, { token: alpha.token })).funnel).toEqual(funnel);
  });

  it('leaves nothing secret in the output', () => expect(muster.printedSecrets()).toEqual([]));
});
