import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DeviceFact, LIMITS } from '#device-protocol/index.js';
import { testKey } from '#identity/testing.js';
import { selfSigned } from '../support/certificate.js';
import {
  type Answer,
  type Enrolled,
  expectProblem,
  expectStatus,
  Installation,
  type Sending,
} from '../support/installation.js';
import { eventually } from '../support/processes.js';

/* What the port of the handsets answers to certificates, codes, grants, ranges and facts that are not as they should be. */

let muster: Installation;
let device: Enrolled;
let other: Enrolled;
let contentId: string;
let campaignId: string;
let end: string;
const bytes = randomBytes(1_000);

beforeAll(async () => {
  muster = await Installation.start('bad-handsets');
  device = await muster.enrol();
  other = await muster.enrol();
  contentId = await muster.publish(bytes);
  campaignId = await muster.draft([contentId]);
  await muster.schedule(campaignId);
  end = await muster.settledEnd();
});
afterAll(() => muster.stop());

const nothingHappened = (): Promise<void> => muster.expectNothingSince(end);
const settle = async (): Promise<void> => void (end = await muster.settledEnd());
const post = (url: string, body: Sending['body'], by: Enrolled = device): Promise<Answer> =>
  muster.handset('POST', url, { device: by, body });
const offer = () => ({ contentId, campaignId });

async function grantFor(by: Enrolled): Promise<string> {
  const answer = expectStatus(await post('/d/v1/requests', { snapshotVersion: 1, requests: [offer()] }, by), 200);
  const { answers } = answer.body as { answers: { grant?: string }[] };
  await settle();
  return muster.secret(answers[0]!.grant!);
}

const fetchContent = (grant: string | undefined, headers: Record<string, string> = {}, by = device, id = contentId) =>
  muster.handset('GET', `/d/v1/contents/${id}`, {
    device: by,
    headers: { ...(grant === undefined ? {} : { authorization: grant }), ...headers },
  });

describe('a certificate', () => {
  const routes: [method: string, url: string, body?: object][] = [
    ['GET', '/d/v1/inbox'],
    [
      'POST',
      '/d/v1/requests',
      { snapshotVersion: 1, requests: [{ contentId: randomUUID(), campaignId: randomUUID() }] },
    ],
    ['POST', '/d/v1/declines', { snapshotVersion: 1, declines: [] }],
    ['POST', '/d/v1/facts', { facts: [] }],
    ['GET', `/d/v1/contents/${randomUUID()}`],
  ];

  it.each(routes)('is asked for by %s %s', async (method, url, body) => {
    expectProblem(await muster.handset(method, url, { body }), 401, 'auth.certificate-required');
    await nothingHappened();
  });

  it.each(routes)('of another CA is refused by %s %s', async (method, url, body) => {
    const foreign = await selfSigned(`CN=${device.deviceId}`);
    const by = { certificate: foreign.cert, key: { privateKeyPem: foreign.key } };
    expectProblem(await muster.handset(method, url, { body, device: by }), 401, 'auth.certificate-refused');
    await nothingHappened();
  });

  it('of another CA cannot be renewed', async () => {
    const key = await testKey();
    const { cert } = await selfSigned();
    const body = { certificate: cert, csr: key.csr, proof: await key.prove(key.csr, Date.now()) };
    expectProblem(await muster.handset('POST', '/enrol/v1/renew', { body }), 403, 'renewal.certificate');
    await nothingHappened();
  });

  it('that was revoked is refused by every route, and cannot be renewed', async () => {
    const lost = await muster.enrol();
    await muster.ok('POST', `/v1/devices/${lost.deviceId}/revoke`, { body: { reason: 'lost' } });
    await settle();
    for (const [method, url, body] of routes)
      expectProblem(await muster.handset(method, url, { body, device: lost }), 401, 'auth.certificate-refused');
    const proof = await lost.key.prove(lost.key.csr, Date.now());
    const body = { certificate: lost.certificate, csr: lost.key.csr, proof };
    expectProblem(await muster.handset('POST', '/enrol/v1/renew', { body }), 403, 'device.revoked');
    await nothingHappened();
  });

  it('that expired is refused', async () => {
    try {
      muster.turnClock(91 * 86_400_000);
      expectProblem(await post('/d/v1/facts', { facts: [] }), 401, 'auth.certificate-refused');
    } finally {
      muster.turnClock(0);
    }
    await settle(); // what had become due by then was done
  });
});

describe('an enrolment', () => {
  const enrol = (body: Sending['body']) => muster.handset('POST', '/enrol/v1', { body });

  it('with a used code is refused, and the device stays as it was', async () => {
    const { code } = await muster.newCode();
    expectStatus(await enrol({ code, csr: (await testKey()).csr }), 200);
    await settle();
    expectProblem(await enrol({ code, csr: (await testKey()).csr }), 409, 'enrolment.code-used', '/code');
    await nothingHappened();
  });

  it('with an expired or a revoked code is refused', async () => {
    const { code } = await muster.newCode(muster.admin, { lifetimeSeconds: 60 });
    const { csr } = await testKey();
    const revoked = await muster.newCode();
    await muster.ok('POST', `/v1/enrolment-codes/${revoked.id}/revoke`);
    await settle();
    try {
      muster.turnClock(61_000);
      expectProblem(await enrol({ code, csr }), 410, 'enrolment.code-expired', '/code');
    } finally {
      muster.turnClock(0);
    }
    expectProblem(await enrol({ code: revoked.code, csr }), 404, 'enrolment.code-unknown', '/code');
    await nothingHappened();
  });

  it.each([
    'main.AAAAAAAAAAAAAAAAAAAAAAAA',
    'nowhere.AAAAAAAAAAAAAAAAAAAAAAAA',
    '../x',
    '__proto__.a',
    '',
    '.',
    "main.' or 1=1",
  ])('with the code %j is refused', async (code) => {
    expectProblem(await enrol({ code, csr: (await testKey()).csr }), 404, 'enrolment.code-unknown', '/code');
    await nothingHappened();
  });

  it.each([
    ['no request', 'x', 'csr.malformed'],
    [
      'a request cut short',
      '-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----',
      'csr.malformed',
    ],
  ])('with %s is refused, and the code stays good', async (_, csr, code) => {
    const issued = await muster.newCode();
    await settle();
    expectProblem(await enrol({ code: issued.code, csr }), 400, code, '/csr');
    await nothingHappened();
    expectStatus(await enrol({ code: issued.code, csr: (await testKey()).csr }), 200);
    await settle();
  });
});

describe('a grant', () => {
  it('of another device, of another content, altered or none brings no byte', async () => {
    const grant = await grantFor(device);
    expectProblem(await fetchContent(`Grant ${grant}`, {}, other), 403, 'grant.foreign');
    expectProblem(await fetchContent(`Grant ${grant}`, {}, device, randomUUID()), 403, 'grant.foreign');
    expectProblem(await fetchContent(undefined), 401, 'grant.missing');
    const [header, claims, signature] = grant.split('.') as [string, string, string];
    const stolen = JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')) as { sub: string };
    const forged = Buffer.from(JSON.stringify({ ...stolen, sub: other.deviceId })).toString('base64url');
    const unsigned = Buffer.from('{"alg":"none"}').toString('base64url');
    const malformed = [
      'Grant',
      'Grant x',
      `Grant ${header}.${forged}.${signature}`,
      `Grant ${unsigned}.${forged}.`,
      `Bearer ${grant}`,
    ];
    for (const authorization of malformed) {
      const answer = await fetchContent(authorization, {}, other);
      expect([authorization, answer.status]).toEqual([authorization, 401]);
      expect((answer.body as { code: string }).code).toMatch(/^grant\.(malformed|missing)$/);
    }
    await nothingHappened();
  });

  it('that expired brings no byte', async () => {
    const grant = await grantFor(device);
    try {
      muster.turnClock(601_000);
      expectProblem(await fetchContent(`Grant ${grant}`), 401, 'grant.expired');
    } finally {
      muster.turnClock(0);
    }
    expect((await fetchContent(`Grant ${grant}`)).bytes.equals(bytes)).toBe(true);
  });

  it('is not given for what was never offered, and nothing is declined that never was', async () => {
    const unknown = [
      { contentId: randomUUID(), campaignId },
      { contentId, campaignId: randomUUID() },
    ];
    const answer = expectStatus(await post('/d/v1/requests', { snapshotVersion: 1, requests: unknown }), 200);
    expect(answer.body).toEqual({ answers: unknown.map((ref) => ({ ...ref, gate: 'not-offered' })) });
    await settle(); // that it was withheld is a fact
    const declines = [
      { ...offer(), reason: 'user' },
      { ...unknown[0], reason: 'user' },
    ];
    expectProblem(await post('/d/v1/declines', { snapshotVersion: 1, declines }), 404, 'offer.unknown', '/declines/1');
    await nothingHappened();
  });

  it.each<[what: string, body: object, pointer: string]>([
    ['no identifier', { snapshotVersion: 1, requests: [] }, '/requests'],
    [
      'too many',
      {
        snapshotVersion: 1,
        requests: Array.from({ length: 101 }, () => ({ contentId: randomUUID(), campaignId: randomUUID() })),
      },
      '/requests',
    ],
    [
      'a path',
      { snapshotVersion: 1, requests: [{ contentId: '../x', campaignId: randomUUID() }] },
      '/requests/0/contentId',
    ],
    ['a list of lists', { snapshotVersion: 1, requests: [[]] }, '/requests'],
    [
      'no snapshot',
      { snapshotVersion: 0, requests: [{ contentId: randomUUID(), campaignId: randomUUID() }] },
      '/snapshotVersion',
    ],
    [
      'an attribute of the handset',
      { snapshotVersion: 1, model: 'MX-1', requests: [{ contentId: randomUUID(), campaignId: randomUUID() }] },
      '/model',
    ],
  ])('is not given for %s', async (_, body, pointer) => {
    expectProblem(await post('/d/v1/requests', body), 400, 'validation.failed', pointer);
    await nothingHappened();
  });
});

describe('a range', () => {
  let grant: string;
  beforeAll(async () => {
    grant = `Grant ${await grantFor(device)}`;
  });

  it.each(['bytes=1000-', 'bytes=5000-6000', 'bytes=-0'])('%s, behind the end, is refused as 416', async (range) => {
    const answer = await fetchContent(grant, { range });
    expectProblem(answer, 416, 'range.unsatisfiable');
    expect(answer.headers['content-range']).toBe('bytes */1000');
  });

  it.each([
    'bytes=5-2',
    'bytes=0-1,3-4',
    'bytes=a-b',
    'lines=0-1',
    'bytes=',
    'bytes=--1',
    `bytes=0-${'9'.repeat(400)}`,
    '__proto__',
  ])('%s, no range at all, is answered with the whole', async (range) => {
    const answer = expectStatus(await fetchContent(grant, { range }), 200);
    expect(answer.bytes.equals(bytes)).toBe(true);
  });

  it.each([
    ['bytes=0-0', 0, 1],
    ['bytes=990-5000', 990, 1_000],
    ['bytes=-10', 990, 1_000],
    ['bytes=-5000', 0, 1_000],
  ])('%s is answered with what there is of it', async (range, from, to) => {
    const answer = expectStatus(await fetchContent(grant, { range }), 206);
    expect(answer.bytes.equals(bytes.subarray(from, to))).toBe(true);
  });

  it.each(['"another"', 'W/"x"', 'Tue, 24 Nov 2026 00:00:00 GMT', '*'])(
    'of another file, If-Range %s, is answered with the whole',
    async (ifRange) => {
      const answer = expectStatus(await fetchContent(grant, { range: 'bytes=10-', 'if-range': ifRange }), 200);
      expect(answer.bytes.length).toBe(1_000);
    },
  );
});

describe('a fact', () => {
  let n = 0;
  const fact = (change: Partial<DeviceFact> = {}): DeviceFact => ({
    seq: { epoch: device.epoch, n: (n += 1) },
    type: 'TransferStarted',
    occurredAt: new Date().toISOString(),
    data: offer(),
    ...change,
  });
  const sha = 'ab'.repeat(32);

  it('that is sent again, in a batch, in the next and side by side, has one effect', async () => {
    const facts = [
      fact({ type: 'ContentMatched', data: { ...offer(), snapshotVersion: 1 } }),
      fact(),
      fact({ type: 'TransferCompleted', data: { ...offer(), bytes: 1_000, sha256: sha } }),
    ];
    const answers = await Promise.all([
      post('/d/v1/facts', { facts }),
      post('/d/v1/facts', { facts: [...facts, ...facts] }),
    ]);
    for (const answer of answers) expect(expectStatus(answer, 200).body).toEqual({ accepted: facts.at(-1)!.seq });
    await settle();
    expectStatus(await post('/d/v1/facts', { facts }), 200);
    await nothingHappened();
    const { items } = await muster.ok<{ items: { name: string }[] }>(
      'GET',
      `/v1/events?topic=muster.device&subject=${device.deviceId}&type=TransferCompleted,TransferStarted`,
    );
    expect(items.map(({ name }) => name).sort()).toEqual(['TransferCompleted', 'TransferStarted']);
    await eventually('the funnel counts the device once', async () => {
      const { funnel } = await muster.ok<{ funnel: Record<string, number> }>(
        'GET',
        `/v1/campaigns/${campaignId}/progress`,
      );
      return funnel.transferred === 1 ? funnel : undefined;
    });
  });

  it.each<[what: string, change: () => object, status: number, code: string, pointer: string]>([
    ['of a type that is none', () => ({ type: 'PollsRecorded' }), 400, 'facts.unknown-type', '/facts/1/type'],
    ['of the server’s own', () => ({ type: 'GrantIssued' }), 400, 'facts.unknown-type', '/facts/1/type'],
    ['of a type that every object has', () => ({ type: 'constructor' }), 400, 'facts.unknown-type', '/facts/1/type'],
    [
      'that carries an attribute',
      () => ({ data: { ...offer(), model: 'MX-1' } }),
      400,
      'facts.malformed',
      '/facts/1/data',
    ],
    ['without its data', () => ({ data: {} }), 400, 'facts.malformed', '/facts/1/data'],
    [
      'on a day that no calendar has',
      () => ({ occurredAt: '2026-02-30T00:00:00Z' }),
      400,
      'validation.failed',
      '/facts/1/occurredAt',
    ],
    ['at no time', () => ({ occurredAt: 'now' }), 400, 'validation.failed', '/facts/1/occurredAt'],
    ['before all numbers', () => ({ seq: { epoch: 1, n: 0 } }), 400, 'validation.failed', '/facts/1/seq/n'],
    ['beyond all numbers', () => ({ seq: { epoch: 1, n: 2 ** 53 } }), 400, 'validation.failed', '/facts/1/seq/n'],
  ])('%s refuses its batch', async (_, change, status, code, pointer) => {
    const good = fact();
    const { errors } = expectProblem(
      await post('/d/v1/facts', { facts: [good, { ...fact(), ...change() }] }),
      status,
      code,
    );
    expect(errors?.map((error) => error.pointer.startsWith(pointer))).toContain(true);
    await nothingHappened();
  });
});

describe('a body', () => {
  it.each([
    ['/enrol/v1', LIMITS.enrolBody],
    ['/enrol/v1/renew', LIMITS.enrolBody],
    ['/d/v1/requests', LIMITS.requestsBody],
    ['/d/v1/declines', LIMITS.declinesBody],
    ['/d/v1/facts', LIMITS.factsBody],
  ])('for %s over %i bytes is refused', async (url, limit) => {
    expectProblem(await post(url, `{"x":"${'x'.repeat(limit)}"}`), 413, 'request.too-large');
    await nothingHappened();
  });

  it.each(['/enrol/v1', '/enrol/v1/renew', '/d/v1/requests', '/d/v1/declines', '/d/v1/facts'])(
    'for %s that is no JSON, is packed, nested or of another type is refused',
    async (url) => {
      const send = (body: string | Buffer, headers: Record<string, string> = {}) =>
        muster.handset('POST', url, { device, body, headers });
      expectProblem(await send('{"facts":['), 400, 'request.malformed');
      expectProblem(await send('['.repeat(5_000) + ']'.repeat(5_000)), 400, 'request.malformed', '/0'.repeat(32));
      expectProblem(await send('{"facts":[],"facts":[]}'), 400, 'request.malformed', '/facts');
      expectProblem(await send('{}', { 'content-encoding': 'gzip' }), 415, 'request.media-type', '/content-encoding');
      expectProblem(await send('{}', { 'content-type': 'text/plain' }), 415, 'request.media-type');
      expectProblem(await send('{"surplus":1}'), 400, 'validation.failed', '/surplus');
      await nothingHappened();
    },
  );

  it('of headers over 16 KiB is refused by the protocol', async () => {
    const answer = await muster.handset('GET', '/d/v1/inbox', { device, headers: { 'x-large': 'x'.repeat(17_000) } });
    expect(answer.status).toBe(431);
  });
});

it('prints nothing secret of all this, and no failure of ours', () => {
  expect(muster.secrets.size).toBeGreaterThan(10);
  expect(muster.printedSecrets()).toEqual([]);
  expect(
    muster.server.process
      .output()
      .split('\n')
      .filter((line) => line.includes('request.failed')),
  ).toEqual([]);
});
