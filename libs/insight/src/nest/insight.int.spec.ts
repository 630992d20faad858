import { mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import supertest from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { campaignDefinitions } from '#campaign/events.js';
import {
  type EventContext,
  eventCatalog,
  Keyring,
  PostgresLog,
  ProjectionRunner,
  type Topic,
} from '#event-log/index.js';
import { EventLogModule, eventLogMigrations } from '#event-log/nest/event-log.module.js';
import { deviceDefinitions } from '#handset/events.js';
import { auditDefinitions, handsetDefinitions } from '#identity/events.js';
import { Bootstrap, ENROL_CATALOGUE, IdentityModule, identityMigrations } from '#identity/nest/identity.module.js';
import { newId, silentLog } from '#runtime/index.js';
import { createServer, type MusterServer, RuntimeModule } from '#runtime/nest/runtime.module.js';
import { type TestDatabase, testDatabase } from '../../../../test/support/database.js';
import { insightProjections } from '../views/projections.js';
import { drafted, enrolled, pollsRecorded } from '../testing.js';
import type { ObservedEvent } from '../views/observed.js';
import type { EventDto, EventsDto } from './events.dto.js';
import { InsightModule, insightMigrations } from './insight.module.js';
import type { CampaignDevicesPage, ProgressDto, RateDto } from './progress.dto.js';
import type { OperationDto, ProjectionDto } from './projections.dto.js';
import type { TimelineDto } from './timeline.dto.js';

const PASSWORD = 'correct horse battery';
const DIGEST = 'aabbccddeeff';
const [CAMPAIGN, CONTENT, DEVICE, OTHER] = [newId(), newId(), newId(), newId()];
const OFFER = { campaignId: CAMPAIGN, contentId: CONTENT };

@Module({
  providers: [{ provide: ENROL_CATALOGUE, useValue: { material: async () => ({}) } }],
  exports: [ENROL_CATALOGUE],
})
class Around {}

let database: TestDatabase;
let server: MusterServer;
let folder: string;
let people: string;
let log: PostgresLog;
let runner: ProjectionRunner;

const context = (tenant = 'acme'): EventContext => ({ tenant, actor: 'system:test', commandId: newId() });
const append = (topic: Topic, subject: string, event: ObservedEvent, tenant = 'acme') =>
  log.append(topic, { subject }, [event], context(tenant));
const fact = (subject: string, event: ObservedEvent, tenant = 'acme') =>
  log.appendFacts('muster.device', [{ subject, event, context: context(tenant) }]);

const bodyOf = (answer: supertest.Response): unknown => answer.body;

const as = (token: string) => ({
  get: (url: string) => supertest(people).get(url).auth(token, { type: 'bearer' }),
  post: (url: string, body: object = {}) => supertest(people).post(url).auth(token, { type: 'bearer' }).send(body),
  token,
});
type As = ReturnType<typeof as>;

async function login(tenant: string, email: string): Promise<As> {
  const body = bodyOf(
    await supertest(people).post('/v1/sessions').send({ tenant, email, password: PASSWORD }).expect(201),
  );
  return as((body as { token: string }).token);
}

async function person(admin: As, role: string): Promise<As> {
  const email = `${role}@acme.test`;
  await admin.post('/v1/users', { email, name: role, password: PASSWORD, roles: [role] }).expect(201);
  return login('acme', email);
}

let admin: As;
let viewer: As;
let analyst: As;
let stranger: As;

beforeAll(async () => {
  database = await testDatabase([...eventLogMigrations, ...identityMigrations, ...insightMigrations]);
  folder = mkdtempSync(path.join(tmpdir(), 'muster-insight-'));
  const urls = {
    actor: database.url('muster_campaign'),
    tail: database.url('muster_tail'),
    projector: database.url('muster_projector'),
    insight: database.url('muster_insight'),
  };
  const catalog = eventCatalog([...campaignDefinitions, deviceDefinitions, handsetDefinitions, auditDefinitions]);
  @Module({
    imports: [
      RuntimeModule.forRoot({ clock: Date, log: silentLog }),
      EventLogModule.forRoot({ urls, kekFile: path.join(folder, 'kek'), catalog, projections: insightProjections }),
      Around,
      IdentityModule.forRoot(),
      InsightModule.forRoot({ url: urls.insight }),
    ],
  })
  class App {}
  server = await createServer(App, { log: silentLog });
  const ports = await server.listen({ people: { host: '127.0.0.1', port: 0 } });
  people = `http://127.0.0.1:${ports.people}`;
  log = server.app.get(PostgresLog);
  runner = server.app.get(ProjectionRunner, { strict: false });
  await server.app
    .get(Bootstrap)
    .bootstrapAdministrator({ tenant: 'acme', email: 'root@acme.test', password: PASSWORD });
  admin = await login('acme', 'root@acme.test');
  viewer = await person(admin, 'viewer');
  analyst = await person(admin, 'analyst');
  const administrator = { email: 'root@globex.test', name: 'A', password: PASSWORD };
  await admin.post('/v1/tenants', { tenant: 'globex', name: 'Globex', administrator }).expect(201);
  stranger = await login('globex', 'root@globex.test');

  await append('muster.campaign', CAMPAIGN, withIds(drafted(CAMPAIGN, 'spring')));
  await append('muster.campaign', 'catalogue:main', {
    type: 'CataloguePublished',
    data: { channel: 'main', version: 4, digest: DIGEST, campaigns: [CAMPAIGN] },
  });
  await append('muster.handset', DEVICE, withIds(enrolled(DEVICE, 0, 'Ann')));
  await fact('polls', pollsRecorded([{ deviceNo: 0, digest: DIGEST }]));
  await fact(DEVICE, { type: 'ContentRequested', data: { ...OFFER, snapshotVersion: 4 } });
  await runner.whenCaughtUp();
});
afterAll(async () => {
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

/** The short ids of the unit tests do not pass the schemas of the log. */
function withIds(event: ObservedEvent): ObservedEvent {
  if (event.type === 'CampaignDrafted') return { ...event, data: { ...event.data, contents: [CONTENT] } };
  if (event.type === 'HandsetEnrolled') return { ...event, data: { ...event.data, keyHash: 'ab'.repeat(32) } };
  return event;
}

const progress = async (query = '', who = viewer) =>
  (await who.get(`/v1/campaigns/${CAMPAIGN}/progress${query}`).expect(200)).body as ProgressDto;
const timeline = async (query = '', who = viewer) =>
  (await who.get(`/v1/devices/${DEVICE}/timeline${query}`).expect(200)).body as TimelineDto;

describe('progress and timeline', () => {
  it('tell how far a campaign is, and what happened to a device', async () => {
    expect(await progress()).toMatchObject({
      ...{ campaignId: CAMPAIGN, name: 'spring', status: 'draft', dropped: [] },
      funnel: { polled: 1, matched: 1, requested: 1, transferred: 0, installed: 0, confirmed: 0 },
    });
    const { items, next } = await timeline();
    expect(items.map(({ event }) => event).sort()).toEqual(['ContentRequested', 'HandsetEnrolled', 'PollsRecorded']);
    expect(next).toBeNull();
  });

  it('find what was acknowledged a moment ago, although the read model trails', async () => {
    const campaign = newId();
    const held = database.database('muster_projector').transaction(async (tx) => {
      const [live] = await tx.query<{ schema: string }>(
        `select schema from proj.generation where projection = 'campaign_progress'`,
      );
      await tx.query(`select 1 from ${live!.schema}.checkpoint for update`); // nothing is applied meanwhile
      await append('muster.campaign', campaign, withIds(drafted(campaign, 'new')), 'globex');
      await sleep(500);
    });
    await sleep(100);
    const found = bodyOf(await stranger.get(`/v1/campaigns/${campaign}/progress`).expect(200));
    expect(found).toMatchObject({ campaignId: campaign, status: 'draft' });
    await held;
    await stranger.get(`/v1/campaigns/${newId()}/progress`).expect(404);
  });

  it('come by pages that leave nothing out', async () => {
    const whole = await timeline();
    const seqs: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: TimelineDto = await timeline(`?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`);
      seqs.push(...page.items.map(({ seq }) => seq));
      cursor = page.next;
    }
    expect(seqs).toEqual(whole.items.map(({ seq }) => seq));
  });

  it('answer for the past what was live then, by instant and by position', async () => {
    const [before, lines] = [await progress(), await timeline()];
    await sleep(5);
    const instant = new Date().toISOString();
    await sleep(5);
    await fact(DEVICE, { type: 'ContentDeclined', data: { ...OFFER, reason: 'battery', snapshotVersion: 4 } });
    await runner.whenCaughtUp();
    expect((await progress()).dropped).toEqual([{ kind: 'declined', reason: 'battery', devices: 1 }]);
    for (const at of [before.position, instant]) {
      const { position: _, ...then } = await progress(`?as_of=${encodeURIComponent(at)}`);
      const { position: __, ...live } = before;
      expect(then).toEqual(live);
    }
    for (const at of [lines.position, instant])
      expect((await timeline(`?as_of=${encodeURIComponent(at)}`)).items).toEqual(lines.items);
  });

  it('name the devices behind each number, by pages, also for the past', async () => {
    const url = `/v1/campaigns/${CAMPAIGN}/devices`;
    const lost = bodyOf(await viewer.get(`${url}?kind=declined&reason=battery`).expect(200)) as CampaignDevicesPage;
    expect(lost.items).toMatchObject([
      { deviceId: DEVICE, contentId: CONTENT, kind: 'declined', reason: 'battery', transferredAt: null },
    ]);
    const reach = async (query: string) =>
      (bodyOf(await viewer.get(`${url}?${query}`).expect(200)) as CampaignDevicesPage).items.length;
    expect([await reach('reached=requested&missed=transferred'), await reach('reached=transferred')]).toEqual([1, 0]);
    expect([await reach('kind=declined&reason=user'), await reach(`limit=1&as_of=${lost.position}`)]).toEqual([0, 1]);
    for (const query of ['reached=polled', 'kind=gone', 'reason=%27', 'missed=requested;--'])
      await viewer.get(`${url}?${query}`).expect(400);
    await stranger.get(url).expect(404);
    const more = newId();
    await fact(more, { type: 'ContentDeclined', data: { ...OFFER, reason: 'user', snapshotVersion: 4 } });
    await runner.whenCaughtUp();
    const first = bodyOf(await viewer.get(`${url}?limit=1`).expect(200)) as CampaignDevicesPage;
    const second = bodyOf(await viewer.get(`${url}?limit=1&cursor=${first.next}`).expect(200)) as CampaignDevicesPage;
    expect([...first.items, ...second.items].map(({ deviceId }) => deviceId)).toEqual([DEVICE, more].sort());
    expect(second.next).toBeNull();
    await viewer.get(`${url}?limit=1&kind=declined&cursor=${first.next}`).expect(400);
  });

  it('tell how many came to each step when', async () => {
    const url = `/v1/campaigns/${CAMPAIGN}/rate`;
    const { stepSeconds, points } = bodyOf(await viewer.get(url).expect(200)) as RateDto;
    expect(stepSeconds).toBe(60);
    expect(points.reduce((sum, { requested }) => sum + requested, 0)).toBe(1);
    const day = '?from=2026-12-01T00:00:00Z&to=2026-12-01T23:59:59Z&points=24';
    const wide = bodyOf(await viewer.get(`${url}${day}`).expect(200)) as RateDto;
    expect([wide.stepSeconds, wide.points.length, wide.points[0]?.at]).toEqual([3_600, 24, '2026-12-01T00:00:00.000Z']);
    const refused = await viewer.get(`${url}?from=2026-12-02T00:00:00Z&to=2026-12-01T00:00:00Z`).expect(422);
    expect(refused.body).toMatchObject({ code: 'rate.range', errors: [{ pointer: '/to' }] });
    await viewer.get(`${url}?points=1001`).expect(400);
    await viewer.get(`${url}?from=yesterday`).expect(400);
    await stranger.get(url).expect(404);
  });

  it('answer as-of.busy and when to come back, once the line for the past is full', async () => {
    const at = new Date().toISOString();
    const asks = Array.from({ length: 40 }, () =>
      viewer.get(`/v1/campaigns/${CAMPAIGN}/progress`).query({ as_of: at }),
    );
    const answers = await Promise.all(asks);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 503]));
    const busy = answers.find(({ status }) => status === 503);
    expect(busy?.body).toMatchObject({ code: 'as-of.busy' });
    expect(busy?.headers['retry-after']).toBe('5');
  });

  it('leave no copy of the past behind', async () => {
    const found = await database.owner.query(`select nspname from pg_namespace where nspname ~ '^proj_(asof|shadow)_'`);
    expect(found).toEqual([]);
  });

  it('show the label to those who act on devices, and to nobody once the device is forgotten', async () => {
    const labels = async (who: As) => (await timeline('', who)).items.map(({ label }) => label).filter(Boolean);
    expect([await labels(viewer), await labels(admin)]).toEqual([[], ['Ann']]);
    await append('muster.handset', OTHER, withIds(enrolled(OTHER, 1, 'Bob')));
    await append('muster.handset', OTHER, { type: 'SubjectForgotten', data: { deviceId: OTHER, reason: 'asked' } });
    await server.app.get(Keyring).forget('acme', OTHER);
    await runner.whenCaughtUp();
    const body = bodyOf(await admin.get(`/v1/devices/${OTHER}/timeline`).expect(200));
    expect(JSON.stringify(body)).not.toContain('Bob');
    expect(await runner.verify('device_timeline')).toEqual({ equal: true });
  });

  it.each([
    ['a malformed position', 'AAAA', 'as-of.malformed'],
    ['an instant without an offset', '2026-11-24T08:00:00', 'as-of.malformed'],
    ['a day that is not', '2026-02-31T08:00:00Z', 'as-of.malformed'],
    ['the future', '2999-01-01T00:00:00Z', 'as-of.future'],
  ])('refuse %s', async (_, at, code) => {
    const body = bodyOf(await viewer.get(`/v1/campaigns/${CAMPAIGN}/progress`).query({ as_of: at }).expect(400));
    expect(body).toMatchObject({ code, errors: [{ pointer: '/as_of' }] });
  });

  it('refuse as_of where the route answers for now only: as-of.unsupported', async () => {
    for (const url of ['/v1/projections', '/v1/devices', '/v1/me', '/v1/events']) {
      const body = bodyOf(await admin.get(`${url}?as_of=2026-11-24T08:00:00Z`).expect(400));
      expect(body).toMatchObject({ code: 'as-of.unsupported' });
    }
  });

  it('know nothing of another tenant: 404', async () => {
    const answers = [
      await stranger.get(`/v1/campaigns/${CAMPAIGN}/progress`),
      await stranger.get(`/v1/devices/${DEVICE}/timeline`),
      await stranger.get(`/v1/campaigns/${CAMPAIGN}/progress`).query({ as_of: (await progress()).position }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404]);
  });
});

describe('events', () => {
  const events = async (query: string, who = analyst) =>
    (await who.get(`/v1/events?${query}`).expect(200)).body as EventsDto;

  it('come page by page from the start, each once, and go on where they ended', async () => {
    const names: string[] = [];
    let page = await events('limit=3');
    for (; page.items.length > 0; page = await events(`limit=3&from=${page.position}`))
      names.push(...page.items.map(({ seq }) => seq));
    const all = await events('limit=200');
    expect(names).toEqual(all.items.map(({ seq }) => seq));
    expect(page.isAtEnd).toBe(true);
    await append('muster.campaign', CAMPAIGN, { type: 'CampaignStarted', data: { campaignId: CAMPAIGN } });
    expect((await events(`from=${page.position}`)).items.map(({ name }) => name)).toEqual(['CampaignStarted']);
  });

  it('are filtered by type and subject', async () => {
    const { items } = await events(`type=HandsetEnrolled,SubjectForgotten&subject=${OTHER}`);
    expect(items.map(({ type }) => type)).toEqual([
      'muster.handset.handset-enrolled.v1',
      'muster.handset.subject-forgotten.v1',
    ]);
  });

  it('hide what is personal from who does not act on devices', async () => {
    const label = async (who: As) => (await events(`type=HandsetEnrolled&subject=${DEVICE}`, who)).items[0]?.data;
    expect([await label(analyst), await label(admin)]).toMatchObject([{ label: null, deviceNo: 0 }, { label: 'Ann' }]);
  });

  it('of another tenant are not there', async () => {
    const { items } = await events('limit=200', stranger);
    expect(items.filter(({ subject }) => [CAMPAIGN, DEVICE, OTHER, 'polls'].includes(subject))).toEqual([]);
  });

  it.each([
    ['from=zzz', 400, 'position.malformed'],
    ['topic=muster.nothing', 400, 'validation.failed'],
    ['limit=0', 400, 'validation.failed'],
    ['sort=up', 400, 'validation.failed'],
  ])('refuse %s', async (query, status, code) => {
    const body = bodyOf(await analyst.get(`/v1/events?${query}`).expect(status));
    expect(body).toMatchObject({ code });
  });

  it('are not for a viewer: auth.forbidden', async () => {
    expect((await viewer.get('/v1/events').expect(403)).body).toMatchObject({ code: 'auth.forbidden' });
  });
});

interface Message {
  id: string;
  data: EventDto;
}

/** Opens the stream and collects what comes, until told to stop. */
function listen(who: As, query = '', lastEventId?: string) {
  const messages: Message[] = [];
  const headers = {
    authorization: `Bearer ${who.token}`,
    ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
  };
  const request = get(`${people}/v1/live${query}`, { headers });
  const opened = new Promise<number | undefined>((resolve, reject) => {
    request
      .on('error', (error) => reject(error))
      .on('response', (response) => {
        resolve(response.statusCode);
        let text = '';
        response
          .setEncoding('utf8')
          .on('error', () => undefined)
          .on('data', (chunk: string) => {
            text += chunk;
            for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
              const [, id, data] = /^id: (.*)\nevent: .*\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
              if (id !== undefined && data !== undefined) messages.push({ id, data: JSON.parse(data) as EventDto });
              text = text.slice(end + 2);
            }
          });
      });
  });
  const until = async (count: number) => {
    for (let waited = 0; messages.length < count && waited < 5_000; waited += 20) await sleep(20);
    return messages;
  };
  return { opened, messages, until, close: () => request.destroy() };
}

describe('the live stream', () => {
  it('brings a tenant its events as they come, without what is personal, and no others', async () => {
    const device = newId();
    const [own, foreign] = [listen(viewer), listen(stranger)];
    expect([await own.opened, await foreign.opened]).toEqual([200, 200]);
    await sleep(300);
    await append('muster.handset', device, withIds(enrolled(device, 7, 'Cid')));
    const [message] = await own.until(1);
    expect(message?.data).toMatchObject({
      name: 'HandsetEnrolled',
      subject: device,
      data: { label: null, deviceNo: 7 },
    });
    await append('muster.handset', newId(), withIds(enrolled(newId(), 1)), 'globex');
    expect((await foreign.until(1)).map(({ data }) => data.subject)).not.toContain(device);
    expect(own.messages).toHaveLength(1);
    own.close();
    foreign.close();
  });

  it('goes on after Last-Event-ID, with nothing lost and nothing twice', async () => {
    const first = listen(viewer, '?topic=muster.device');
    await first.opened;
    await sleep(300);
    for (let fromByte = 0; fromByte < 6; fromByte += 1)
      await fact(DEVICE, { type: 'ContentRequested', data: { ...OFFER, snapshotVersion: fromByte } });
    const seen = (await first.until(6)).map(({ data }) => data.seq);
    const middle = first.messages[2]?.id;
    first.close();
    const second = listen(viewer, '?topic=muster.device', middle);
    const rest = (await second.until(3)).map(({ data }) => data.seq);
    second.close();
    expect(seen).toHaveLength(6);
    expect(rest).toEqual(seen.slice(3));
  });

  it('refuses a position that is none, and a stranger without a session', async () => {
    const body = bodyOf(await viewer.get('/v1/live').set('last-event-id', 'zzz').expect(400));
    expect(body).toMatchObject({ code: 'position.malformed' });
    await supertest(people).get('/v1/live').expect(401);
  });
});

describe('projections', () => {
  const finished = async (answer: supertest.Response): Promise<OperationDto> => {
    const { location } = answer.headers as { location: string };
    for (let tries = 0; tries < 200; tries += 1) {
      const body = bodyOf(await admin.get(location).expect(200));
      if ((body as OperationDto).status !== 'running') return body as OperationDto;
      await sleep(20);
    }
    throw new Error('still running');
  };

  it('are listed with their lag', async () => {
    await runner.whenCaughtUp();
    const body = bodyOf(await viewer.get('/v1/projections').expect(200));
    expect((body as { items: ProjectionDto[] }).items).toMatchObject([
      { name: 'campaign_progress', version: 1, state: 'live', lagEvents: 0, lagSeconds: 0, parked: 0, partitions: [] },
      { name: 'device_timeline', version: 1, state: 'live', lagEvents: 0 },
    ]);
  });

  it('are equal to the log, and a corrupted cell is named', async () => {
    const equal = await finished(await admin.post('/v1/projections/campaign_progress/verify').expect(202));
    expect(equal).toMatchObject({ kind: 'projection.verify', status: 'done', result: { equal: true } });
    const projector = database.database('muster_projector');
    await projector.query(`update proj.p_campaign_progress_campaign_v1 set name = 'autumn' where tenant = 'acme'`);
    const { result } = await finished(await admin.post('/v1/projections/campaign_progress/verify').expect(202));
    const key = { tenant: 'acme', campaign_id: CAMPAIGN };
    const cell = { table: 'p_campaign_progress_campaign_v1', key, column: 'name', live: 'autumn', rebuilt: 'spring' };
    expect(result).toEqual({ equal: false, differences: [cell], ofOtherTenants: 0 });
    const repaired = await finished(await admin.post('/v1/projections/campaign_progress/rebuild').expect(202));
    expect(repaired).toMatchObject({ kind: 'projection.rebuild', status: 'done' });
    expect((await progress()).name).toBe('spring');
  });

  it('tell a tenant of cells of others only how many differ', async () => {
    const projector = database.database('muster_projector');
    await projector.query(
      `update proj.p_device_timeline_line_v1 set label = 'Eve' where tenant = 'acme' and label = 'Ann'`,
    );
    const started = await stranger.post('/v1/projections/device_timeline/verify').expect(202);
    const { location } = started.headers as { location: string };
    for (let body: OperationDto | undefined; body?.status !== 'done'; await sleep(20))
      body = (await stranger.get(location)).body as OperationDto;
    const { result } = (await stranger.get(location)).body as OperationDto;
    expect(result).toEqual({ equal: false, differences: [], ofOtherTenants: 1 });
    await admin.get(location).expect(404);
    const own = await finished(await admin.post('/v1/projections/device_timeline/verify').expect(202));
    expect(JSON.stringify(own.result)).not.toMatch(/Ann|Eve/);
    expect(own.result).toMatchObject({ differences: [{ column: 'label', live: null, rebuilt: null }] });
  });

  it('are let go of where somebody wants them no more, and what is live stays', async () => {
    const projector = database.database('muster_projector');
    const schemas = async () => {
      const rows = await projector.query<{ name: string }>(
        `select nspname as name from pg_namespace where nspname like 'proj\\_%' order by 1`,
      );
      return rows.map(({ name }) => name);
    };
    const before = await schemas();
    // Nothing new can be built while the builders' table is held: the cancel comes in between for certain.
    const held = projector.transaction(async (tx) => {
      await tx.query('lock table proj.generation in access exclusive mode');
      await sleep(700);
    });
    await sleep(100);
    const started = bodyOf(await admin.post('/v1/projections/campaign_progress/verify').expect(202)) as OperationDto;
    const { id } = started;
    await viewer.post(`/v1/operations/${id}/cancel`).expect(403);
    await stranger.post(`/v1/operations/${id}/cancel`).expect(404);
    await admin.post(`/v1/operations/${id}/cancel`).expect(204);
    await admin.post(`/v1/operations/${id}/cancel`).expect(204);
    await held;
    expect(bodyOf(await admin.get(`/v1/operations/${id}`).expect(200))).toMatchObject({
      status: 'cancelled',
      result: null,
    });
    await runner.whenCaughtUp();
    expect(await schemas()).toEqual(before);
    const done = await finished(await admin.post('/v1/projections/campaign_progress/verify').expect(202));
    expect(done).toMatchObject({ status: 'done' });
    await admin.post(`/v1/operations/${done.id}/cancel`).expect(409);
    await admin.post(`/v1/operations/${newId()}/cancel`).expect(404);
  });

  it('keep operations of a tenant from all others, whatever a query forgets', async () => {
    const of = (tenant: string) =>
      database
        .database('muster_insight')
        .inTenant(tenant, (tx) => tx.query<{ tenant: string }>('select tenant from ops.operation'));
    expect(new Set((await of('acme')).map(({ tenant }) => tenant))).toEqual(new Set(['acme']));
    expect(new Set((await of('globex')).map(({ tenant }) => tenant))).toEqual(new Set(['globex']));
    expect(await of('initech')).toEqual([]);
  });

  it('leave an audit event when a person sets one to work', async () => {
    const { items } = (await admin.get('/v1/events?topic=muster.audit&subject=projection').expect(200))
      .body as EventsDto;
    expect(items.map(({ data }) => (data as { operation: string }).operation)).toContain('projection.rebuild');
  });

  it('are refused by name and by role', async () => {
    await viewer.post('/v1/projections/campaign_progress/rebuild').expect(403);
    expect((await admin.post('/v1/projections/nothing/verify').expect(404)).body).toMatchObject({
      code: 'projection.unknown',
    });
    await admin.post('/v1/projections/constructor/verify').expect(404);
    await admin.get(`/v1/operations/${newId()}`).expect(404);
  });

  it('show their lag to Prometheus by projection and partition', async () => {
    const { text } = await supertest(people).get('/metrics').expect(200);
    expect(text).toContain(
      'muster_projection_lag_events{projection="campaign_progress",topic="muster.device",partition="0"} 0',
    );
    expect(text).toContain(
      'muster_projection_lag_seconds{projection="device_timeline",topic="muster.handset",partition="11"} 0',
    );
    expect(text).toContain('muster_projection_duplicates_total{projection="campaign_progress"} 0');
  });
});

describe('the overview', () => {
  it('says what goes on, what failed and what waits', async () => {
    const [running, waiting, failing] = [newId(), newId(), newId()];
    await append('muster.campaign', running, withIds(drafted(running, 'summer')));
    await append('muster.campaign', running, { type: 'CampaignStarted', data: { campaignId: running } });
    await append('muster.campaign', waiting, withIds(drafted(waiting, 'autumn')));
    await append('muster.campaign', waiting, {
      type: 'CampaignSubmitted',
      data: { campaignId: waiting, by: 'person:x', required: 1, report: null },
    });
    await fact(failing, {
      type: 'InstallReported',
      data: { campaignId: running, contentId: CONTENT, outcome: 'failed', code: 'E7' },
    });
    await runner.whenCaughtUp();
    const overview = bodyOf(await viewer.get('/v1/overview').expect(200));
    expect(overview).toMatchObject({
      campaigns: [
        { campaignId: running, name: 'summer', status: 'running', failed: 1, installed: 0 },
        { name: 'spring' },
      ],
      failures: [{ deviceId: failing, campaignName: 'summer', reason: 'install-failed' }],
      attention: [{ campaignId: waiting, name: 'autumn', status: 'in-review' }],
      lag: { state: 'live', events: 0, parked: 0 },
    });
    const other = bodyOf(await stranger.get('/v1/overview').expect(200));
    expect(other).toMatchObject({ campaigns: [], failures: [], attention: [] });
  });
});

// Last, because it closes the server of the others.
it('a server that stops does not wait for live streams', async () => {
  const stream = listen(viewer);
  await stream.opened;
  const before = performance.now();
  await server.close();
  expect(performance.now() - before).toBeLessThan(3_000); // what is left to finish is cut after 5 s
});
