import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Installation } from '../support/installation.js';
import { addressOf, describedRoutes, type Route } from '../support/routes.js';

/*
 * Who may call what, every route of the OpenAPI document by every role. The table is written by hand from what the roles
 * are for, and knows nothing of the one that the server has. Of the scopes, the tenant's is in the table; who is confined to
 * a security domain may do nothing about what belongs to none, whatever the role; `tenants.spec.ts` has the other tenants.
 */

const ROLES = ['viewer', 'author', 'approver', 'operator', 'analyst', 'admin'] as const;
type Who = (typeof ROLES)[number] | 'nobody in particular' | 'who runs the installation';

const everyRole: Who[] = [...ROLES];
const signedIn: Who[] = [...ROLES, 'nobody in particular'];
const author: Who[] = ['author'];
const operator: Who[] = ['operator'];
const fleet: Who[] = ['operator', 'admin'];
const admin: Who[] = ['admin'];

/** Besides, who runs the installation has every role here. */
const MAY: Record<string, Who[]> = {
  'GET /v1/audience': author,
  'GET /v1/campaigns': everyRole,
  'POST /v1/campaigns': author,
  'GET /v1/campaigns/{campaignId}': everyRole,
  'PUT /v1/campaigns/{campaignId}': author,
  'POST /v1/campaigns/{campaignId}/abort': operator,
  'POST /v1/campaigns/{campaignId}/approve': ['approver'],
  'GET /v1/campaigns/{campaignId}/dry-run': everyRole,
  'POST /v1/campaigns/{campaignId}/complete': operator,
  'POST /v1/campaigns/{campaignId}/pause': operator,
  'POST /v1/campaigns/{campaignId}/reject': ['approver'],
  'POST /v1/campaigns/{campaignId}/resume': operator,
  'POST /v1/campaigns/{campaignId}/retry': author,
  'POST /v1/campaigns/{campaignId}/schedule': operator,
  'POST /v1/campaigns/{campaignId}/submit': author,
  'POST /v1/campaigns/{campaignId}/undo': operator,
  'POST /v1/campaigns/{campaignId}/wave': operator,
  'GET /v1/campaigns/{campaignId}/silent': everyRole,
  'POST /v1/campaigns/{campaignId}/wake': operator,
  'GET /v1/campaigns/{id}/devices': everyRole,
  'GET /v1/campaigns/{id}/progress': everyRole,
  'GET /v1/campaigns/{id}/rate': everyRole,
  'GET /v1/caps': everyRole,
  'PUT /v1/caps': fleet,
  'GET /v1/channels': everyRole,
  'POST /v1/channels': admin,
  'GET /v1/channels/{channel}/wake': admin,
  'PUT /v1/channels/{channel}/wake': admin,
  'DELETE /v1/channels/{channel}/wake': admin,
  'GET /v1/contents': everyRole,
  'POST /v1/contents': author,
  'GET /v1/contents/{contentId}': everyRole,
  'POST /v1/contents/{contentId}/withdraw': author,
  'GET /v1/devices': everyRole,
  'POST /v1/devices': fleet,
  'GET /v1/devices/facets': everyRole,
  'GET /v1/devices/{id}': everyRole,
  'GET /v1/devices/{id}/explain': everyRole,
  'GET /v1/devices/{id}/fit': author,
  'GET /v1/devices/{id}/attributes': everyRole,
  'PUT /v1/devices/{id}/attributes': fleet,
  'POST /v1/devices/{id}/forget': fleet,
  'POST /v1/devices/{id}/replace': fleet,
  'POST /v1/devices/{id}/revoke': fleet,
  'POST /v1/devices/{id}/target-token': fleet,
  'GET /v1/devices/{id}/timeline': everyRole,
  'GET /v1/enrolment-codes': fleet,
  'POST /v1/enrolment-codes': fleet,
  'POST /v1/enrolment-codes/bulk': fleet,
  'POST /v1/enrolment-codes/{id}/revoke': fleet,
  'GET /v1/events': ['analyst', 'admin'],
  'GET /v1/installation': signedIn,
  'GET /v1/keys/{channel}': admin,
  'POST /v1/keys/{channel}/rotate': admin,
  'GET /v1/live': everyRole,
  'GET /v1/me': signedIn,
  'GET /v1/me/account': signedIn,
  'PUT /v1/me/password': signedIn,
  'GET /v1/operations': everyRole,
  'GET /v1/operations/{id}': everyRole,
  'POST /v1/operations/{id}/cancel': admin,
  'GET /v1/overview': everyRole,
  'GET /v1/projections': everyRole,
  'GET /v1/projections/{name}': everyRole,
  'POST /v1/projections/{name}/rebuild': admin,
  'POST /v1/projections/{name}/unpark': admin,
  'POST /v1/projections/{name}/verify': admin,
  'GET /v1/review': everyRole,
  'PUT /v1/review': admin,
  'GET /v1/rules/{channel}': everyRole,
  'PUT /v1/rules/{channel}': author,
  'GET /v1/schema': everyRole,
  'PUT /v1/schema': author,
  'DELETE /v1/sessions/current': signedIn,
  'GET /v1/tenants': everyRole,
  'POST /v1/tenants': [],
  'GET /v1/tokens': admin,
  'POST /v1/tokens': admin,
  'POST /v1/tokens/{id}/revoke': admin,
  'GET /v1/uploads': author,
  'POST /v1/uploads': author,
  'DELETE /v1/uploads/{uploadId}': author,
  'HEAD /v1/uploads/{uploadId}': author,
  'PATCH /v1/uploads/{uploadId}': author,
  'GET /v1/users': admin,
  'POST /v1/users': admin,
  'GET /v1/users/{id}': admin,
  'PATCH /v1/users/{id}': admin,
  'GET /v1/webhooks': admin,
  'POST /v1/webhooks': admin,
  'DELETE /v1/webhooks/{webhookId}': admin,
  'GET /v1/webhooks/{webhookId}': admin,
  'PUT /v1/webhooks/{webhookId}': admin,
  'POST /v1/webhooks/{webhookId}/secret': admin,
  'POST /v1/webhooks/{webhookId}/test': admin,
};
/** What a token may not do, even with every role: deciding who may do what is for people. */
const PEOPLE_ONLY = [
  'POST /v1/campaigns/{campaignId}/approve',
  'POST /v1/campaigns/{campaignId}/reject',
  'POST /v1/tenants',
  'POST /v1/tokens',
  'POST /v1/tokens/{id}/revoke',
  'POST /v1/users',
  'PATCH /v1/users/{id}',
];
const ENDS_THE_SESSION = 'DELETE /v1/sessions/current';

let muster: Installation;
const sessions = new Map<Who, string>();
const routes = describedRoutes().filter(({ isHandset }) => !isHandset);
const guarded = routes.filter(({ needsPerson }) => needsPerson);
const patient = guarded.filter(({ name }) => name !== ENDS_THE_SESSION);

beforeAll(async () => {
  muster = await Installation.start('roles');
  for (const role of ROLES) sessions.set(role, (await muster.addPerson('main', muster.admin, [role])).token);
  sessions.set('nobody in particular', (await muster.addPerson('main', muster.admin, [])).token);
  sessions.set('who runs the installation', muster.admin);
});
afterAll(() => muster.stop());

const NOWHERE = '01890a5d-ac96-774b-bcce-b302099a8057';
const placeOf = (parameter: string): string => (/^(channel|name)$/.test(parameter) ? 'nowhere' : NOWHERE);

/** The status alone, of a request with nothing in it, about things that are not there; a stream is let go at once. */
async function statusOf(route: Route, token: string): Promise<number> {
  const headers: Record<string, string> = { 'if-match': '*', 'tus-resumable': '1.0.0' };
  if (token !== '') headers.authorization = `Bearer ${token}`;
  if (route.takesJson) headers['content-type'] = 'application/json';
  const body = route.takesJson ? '{"surplus":1}' : undefined;
  const url = `${muster.server.url}${addressOf(route, placeOf)}`;
  const answer = await fetch(url, { method: route.method, headers, body });
  await answer.body?.cancel();
  return answer.status;
}

async function letIn(token: string): Promise<string[]> {
  const names: string[] = [];
  for (const route of patient) {
    const status = await statusOf(route, token);
    expect([route.name, status < 500]).toEqual([route.name, true]);
    if (status !== 401 && status !== 403) names.push(route.name);
  }
  return names;
}

const expected = (who: Who): string[] =>
  patient.map(({ name }) => name).filter((name) => who === 'who runs the installation' || MAY[name]?.includes(who));

describe('the table of who may call what', () => {
  it('has every route that asks for a person, and no other', () => {
    expect(guarded.map(({ name }) => name).sort()).toEqual(Object.keys(MAY).sort());
  });

  it.each<Who>([...ROLES, 'nobody in particular', 'who runs the installation'])('holds for %s', async (who) => {
    expect(await letIn(sessions.get(who)!)).toEqual(expected(who));
  });

  it.each<Who>(ROLES)('lets %s do nothing about the tenant when confined to a security domain', async (role) => {
    const confined = await muster.addPerson('main', muster.admin, [role], { domain: 'A000000151000000' });
    const open = patient.map(({ name }) => name).filter((name) => MAY[name] === signedIn);
    expect(await letIn(confined.token)).toEqual(open);
  });

  it('holds for who is not signed in: only the door and the health of the house are open', async () => {
    const open: string[] = [];
    for (const route of routes) if ((await statusOf(route, '')) !== 401) open.push(route.name);
    expect(open.sort()).toEqual(['GET /livez', 'GET /metrics', 'GET /readyz', 'GET /version', 'POST /v1/sessions']);
  });

  it('holds for a token, which has the roles of its own and decides nothing about people', async () => {
    const roles = [...ROLES];
    const issue = (body: object) => muster.ok<{ token: string }>('POST', '/v1/tokens', { body });
    const every = muster.secret((await issue({ name: 'every role', roles })).token);
    // A token has no session, account or password of its own.
    const ofSessions = ['GET /v1/me/account', 'PUT /v1/me/password'];
    const mayNot = [...PEOPLE_ONLY, ...ofSessions];
    const byToken = (await letIn(every)).filter((name) => !ofSessions.includes(name));
    expect(byToken).toEqual(expected('who runs the installation').filter((name) => !mayNot.includes(name)));
    const viewer = muster.secret((await issue({ name: 'viewer', roles: ['viewer'] })).token);
    const byViewer = (await letIn(viewer)).filter((name) => !ofSessions.includes(name));
    expect(byViewer).toEqual(expected('viewer').filter((name) => !mayNot.includes(name)));
  });

  it('holds no more once the session has ended', async () => {
    const token = sessions.get('viewer')!;
    const end = guarded.find(({ name }) => name === ENDS_THE_SESSION)!;
    expect(await statusOf(end, token)).toBe(204);
    expect(await letIn(token)).toEqual([]);
  });

  it('leaves nothing secret in the output', () => expect(muster.printedSecrets()).toEqual([]));
});
