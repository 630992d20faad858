import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { base64, expectProblem, expectStatus, Installation, sha256, TUS } from '../support/installation.js';
import { eventually } from '../support/processes.js';

/* Uploads, rules, campaigns and preconditions that are not as they should be, at a running server. */

let muster: Installation;
let contentId: string;
let campaignId: string;
let end: string;

beforeAll(async () => {
  muster = await Installation.start('bad-campaigns');
  const attributes = { model: { type: 'string' }, apps: { type: 'list<string>' }, free: { type: 'int' } };
  await muster.ok('PUT', '/v1/schema', { body: { version: 1, attributes } });
  contentId = await muster.publish(randomBytes(10));
  campaignId = await muster.draft([contentId]);
  end = await muster.settledEnd();
});
afterAll(() => muster.stop());

const nothingHappened = (): Promise<void> => muster.expectNothingSince(end);
const description = { name: 'radio.bin', version: '1' };
const campaign = () => muster.ok<{ version: number; status: string }>('GET', `/v1/campaigns/${campaignId}`);

describe('an upload', () => {
  it('with a wrong digest becomes no content, and goes in with the right one', async () => {
    const bytes = randomBytes(1_000);
    const uploadId = await muster.upload(bytes);
    const publish = (digest: string) =>
      muster.people('POST', '/v1/contents', { body: { uploadId, description, sha256: digest } });
    expectProblem(await publish('ab'.repeat(32)), 422, 'upload.digest', '/sha256');
    expectProblem(await publish('not hex'), 400, 'validation.failed', '/sha256');
    await nothingHappened();
    expectProblem(await muster.people('GET', `/v1/contents/${uploadId}`), 404, 'content.unknown');
    expectStatus(await publish(sha256(bytes)), 201);
    end = await muster.settledEnd();
  });

  it('whose announced digest is another or none is refused', async () => {
    const bytes = randomBytes(100);
    const location = await muster.createUpload(bytes.length, `sha256 ${base64('cd'.repeat(32))}`);
    expectStatus(await muster.append(location, bytes), 204);
    const body = { uploadId: location.split('/').at(-1), description };
    expectProblem(await muster.people('POST', '/v1/contents', { body }), 422, 'upload.digest');
    const headers = { ...TUS, 'upload-length': '5', 'upload-metadata': `sha256 ${base64('short')}` };
    const answer = await muster.people('POST', '/v1/uploads', { headers });
    expectProblem(answer, 422, 'upload.digest', '/upload-metadata/sha256');
    await nothingHappened();
  });

  it('that is torn is no content, keeps what arrived, and is resumed', async () => {
    const bytes = randomBytes(300_000);
    const location = await muster.createUpload(bytes.length, `filename ${base64('a')}`);
    await tear(location, bytes, 120_000);
    const offset = await eventually('what arrived is kept', async () => {
      const head = await muster.people('HEAD', location, { headers: TUS });
      const kept = Number(head.headers['upload-offset']);
      return kept > 0 ? kept : undefined;
    });
    expect(offset).toBeLessThanOrEqual(120_000);
    const body = { uploadId: location.split('/').at(-1), description };
    expectProblem(await muster.people('POST', '/v1/contents', { body }), 409, 'upload.incomplete');
    await nothingHappened();
    expectProblem(await muster.append(location, bytes.subarray(0, 10), offset + 1), 409, 'upload.protocol');
    expectStatus(await muster.append(location, bytes.subarray(offset), offset), 204);
    const content = await muster.ok<{ sha256: string }>('POST', '/v1/contents', { body });
    expect(content.sha256).toBe(sha256(bytes));
    end = await muster.settledEnd();
  });

  it.each([
    ['no length', {}, 400],
    ['a negative length', { 'upload-length': '-1' }, 400],
    ['a length that is no number', { 'upload-length': '1e3' }, 400],
    ['a length to come later', { 'upload-defer-length': '1' }, 400],
    ['metadata that is no base64', { 'upload-length': '1', 'upload-metadata': 'filename *' }, 400],
    ['a name over 255 bytes', { 'upload-length': '1', 'upload-metadata': `filename ${base64('ü'.repeat(128))}` }, 400],
    ['U+0000 in its name', { 'upload-length': '1', 'upload-metadata': `filename ${base64('a\0b')}` }, 400],
    ['another length than an integer holds', { 'upload-length': '9'.repeat(30) }, 400],
  ])('with %s is not made', async (_, headers, status) => {
    const answer = await muster.people('POST', '/v1/uploads', { headers: { ...TUS, ...headers } });
    expect([answer.status, answer.headers['content-type']]).toEqual([
      status,
      expect.stringContaining('application/problem+json'),
    ]);
  });

  it.each(['0.2.0', '1.0.0, 0.2.0', 'constructor'])(
    'by tus %s is refused, and the version that is spoken is named',
    async (version) => {
      const headers = { 'tus-resumable': version, 'upload-length': '1' };
      const answers = [await muster.people('POST', '/v1/uploads', { headers })];
      const location = await muster.createUpload(1, `filename ${base64('a')}`);
      answers.push(await muster.people('DELETE', location, { headers }));
      for (const answer of answers) {
        expectProblem(answer, 412, 'upload.version', '/tus-resumable');
        expect(answer.headers['tus-version']).toBe('1.0.0');
      }
      expectStatus(await muster.people('HEAD', location, { headers: TUS }), 200);
    },
  );

  it('takes no bytes over its length, at another offset, or of another type', async () => {
    const location = await muster.createUpload(10, `filename ${base64('a')}`);
    const headers = { ...TUS, 'upload-offset': '0', 'content-type': 'application/octet-stream' };
    expect((await muster.people('PATCH', location, { body: Buffer.alloc(5), headers })).status).toBe(415);
    expectProblem(await muster.append(location, Buffer.alloc(5), 5), 409, 'upload.protocol');
    const over = await muster.append(location, Buffer.alloc(20));
    expect(over.status).toBeGreaterThanOrEqual(400);
    expect(over.status).toBeLessThan(500);
    expect(
      Number((await muster.people('HEAD', location, { headers: TUS })).headers['upload-offset']),
    ).toBeLessThanOrEqual(10);
  });
});

/** Begins to send and breaks the connection in the middle of the body. */
const tear = (location: string, bytes: Buffer, after: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const { port } = new URL(muster.server.url);
    const socket = connect(Number(port), '127.0.0.1');
    const head = [
      `PATCH ${location} HTTP/1.1`,
      'host: muster',
      `authorization: Bearer ${muster.admin}`,
      'tus-resumable: 1.0.0',
      'upload-offset: 0',
      'content-type: application/offset+octet-stream',
      `content-length: ${bytes.length}`,
    ];
    socket.on('error', reject);
    socket.write(`${head.join('\r\n')}\r\n\r\n`);
    socket.write(bytes.subarray(0, after), () => {
      socket.end(() => socket.destroy());
      resolve();
    });
  });

describe('a rule', () => {
  const list = (count: number) => `[${Array.from({ length: count }, () => '"a"').join(',')}]`;
  const rules: [what: string, source: string, code: string, status: number][] = [
    ['that does not parse', 'device.model ==', 'rule.parse', 422],
    ['that is empty', '', 'rule.parse', 422],
    ['that names an unknown attribute', 'device.nope == 1', 'rule.unknown-attribute', 422],
    ['that names what every object has', 'device.constructor == "a"', 'rule.unknown-attribute', 422],
    ['that names a prototype', 'device.__proto__ == "a"', 'rule.unknown-attribute', 422],
    ['that calls an unknown function', 'device.model.matches("(a+)+$")', 'rule.unknown-function', 422],
    ['of the wrong type', 'device.model', 'rule.type', 422],
    ['that compares what cannot be compared', 'device.model == 1', 'rule.type', 422],
    ['nested too deeply', `${'('.repeat(500)}true${')'.repeat(500)}`, 'rule.too-large', 413],
    ['negated too often', `${'!'.repeat(4_000)}true`, 'rule.too-large', 413],
    ['of too many nodes', Array.from({ length: 600 }, () => 'true').join('&&'), 'rule.too-large', 413],
    ['with a huge list', `device.model in ${list(900)}`, 'rule.too-large', 413],
    [
      'with nested comprehensions',
      'device.apps.all(a, device.apps.exists(b, b == a))',
      'rule.nested-comprehension',
      422,
    ],
    [
      'of too many steps',
      Array.from({ length: 16 }, () => `device.apps.all(a, a in ${list(18)})`).join('&&'),
      'rule.cost',
      422,
    ],
  ];

  it.each(rules)('%s is refused as a content’s, a campaign’s and a handset’s', async (_, source, code, status) => {
    const uploadId = await muster.upload(randomBytes(3));
    const began = performance.now();
    const content = { uploadId, description, selector: source };
    expectProblem(await muster.people('POST', '/v1/contents', { body: content }), status, code, '/selector');
    const body = { name: 'x', contents: [contentId], selector: source };
    expectProblem(await muster.people('POST', '/v1/campaigns', { body }), status, code, '/selector');
    const edit = { body, headers: { 'if-match': '*' } };
    expectProblem(await muster.people('PUT', `/v1/campaigns/${campaignId}`, edit), status, code, '/selector');
    const ruleSet = { version: 2, rules: [{ id: 'r', on: ['network'], when: source }] };
    expectProblem(await muster.people('PUT', '/v1/rules/main', { body: ruleSet }), status, code, '/rules/0/when');
    expect(performance.now() - began).toBeLessThan(3_000);
    await nothingHappened();
  });

  it('over 4 KiB is refused before it is parsed', async () => {
    const source = `${' '.repeat(4_096)}true`;
    const body = { name: 'x', contents: [contentId], selector: source };
    expectProblem(await muster.people('POST', '/v1/campaigns', { body }), 400, 'validation.failed', '/selector');
    const wide = { ...body, selector: `device.model == "${'ü'.repeat(2_100)}"` };
    expectProblem(await muster.people('POST', '/v1/campaigns', { body: wide }), 413, 'rule.too-large', '/selector');
    const ruleSet = { version: 2, rules: [{ id: 'r', on: ['network'], when: source }] };
    expectProblem(
      await muster.people('PUT', '/v1/rules/main', { body: ruleSet }),
      413,
      'rule.too-large',
      '/rules/0/when',
    );
    await nothingHappened();
  });

  it.each([
    ['rules of no form', { version: 2, rules: [null, 1] }, 400, 'rule-set.malformed', '/rules/0'],
    [
      'a trigger that is none',
      { version: 2, rules: [{ id: 'r', on: ['full-moon'] }] },
      400,
      'rule-set.malformed',
      '/rules/0/on',
    ],
    [
      'two rules of one id',
      {
        version: 2,
        rules: [
          { id: 'r', on: ['boot'] },
          { id: 'r', on: ['boot'] },
        ],
      },
      400,
      'rule-set.malformed',
      '/rules/1/id',
    ],
    ['a version that is not the next', { version: 9, rules: [] }, 409, 'rules.not-next', '/version'],
  ])('set with %s is refused', async (_, body, status, code, pointer) => {
    expectProblem(await muster.people('PUT', '/v1/rules/main', { body }), status, code, pointer);
    await nothingHappened();
  });

  it.each([
    ['an attribute of no type', { version: 2, attributes: { model: { type: 'regex' } } }, 400, 'schema.malformed'],
    ['an attribute taken away', { version: 2, attributes: {} }, 422, 'schema.not-additive'],
    ['a version that is not the next', { version: 5, attributes: {} }, 422, 'schema.not-additive'],
    ['attributes that are a list', { version: 2, attributes: [] }, 400, 'validation.failed'],
  ])('speaks of no schema with %s', async (_, body, status, code) => {
    const { errors } = expectProblem(await muster.people('PUT', '/v1/schema', { body }), status, code);
    expect(errors?.length).toBeGreaterThan(0);
    await nothingHappened();
  });
});

describe('a campaign', () => {
  const cases: [what: string, change: object, status: number, code: string, pointer: string][] = [
    ['without content', { contents: [] }, 422, 'campaign.without-content', '/contents'],
    [
      'of a content that is not there',
      { contents: ['01890a5d-ac96-774b-bcce-b302099a8057'] },
      404,
      'content.unknown',
      '/contents/0',
    ],
    [
      'that ends before it starts',
      { start: '2030-01-02T00:00:00Z', end: '2030-01-01T00:00:00Z' },
      422,
      'campaign.window-empty',
      '/end',
    ],
    [
      'that ends when it starts',
      { start: '2030-01-01T01:00:00+01:00', end: '2030-01-01T00:00:00Z' },
      422,
      'campaign.window-empty',
      '/end',
    ],
    ['that starts on no day', { start: '2030-02-30T00:00:00Z' }, 400, 'validation.failed', '/start'],
    ['on no channel', { channel: 'constructor' }, 404, 'channel.unknown', '/channel'],
    ['with a wave beyond all', { waveUpTo: 10_001 }, 400, 'validation.failed', '/waveUpTo'],
    [
      'in a zone that is none',
      { windows: [{ days: [1], from: '10:00', to: '11:00', zone: '../etc' }] },
      400,
      'window.malformed',
      '/windows/0/zone',
    ],
  ];

  it.each(cases)('%s is neither drafted nor made of a draft', async (_, change, status, code, pointer) => {
    const body = { name: 'x', contents: [contentId], ...change };
    expectProblem(await muster.people('POST', '/v1/campaigns', { body }), status, code, pointer);
    const edit = { body, headers: { 'if-match': '"v1"' } };
    expectProblem(await muster.people('PUT', `/v1/campaigns/${campaignId}`, edit), status, code, pointer);
    expect(await campaign()).toMatchObject({ version: 1, status: 'draft' });
    await nothingHappened();
  });

  it.each(['pause', 'complete', 'abort'])('is not made to %s for a reason that acts on a terminal', async (verb) => {
    const sending = { body: { reason: '\u001b[31mred' }, headers: { 'if-match': '*' } };
    const answer = await muster.people('POST', `/v1/campaigns/${campaignId}/${verb}`, sending);
    expectProblem(answer, 400, 'validation.failed', '/reason');
    await nothingHappened();
  });

  it('is not scheduled to end before it starts', async () => {
    const body = { start: '2030-01-02T00:00:00Z', end: '2030-01-01T00:00:00Z' };
    const answer = await muster.people('POST', `/v1/campaigns/${campaignId}/schedule`, {
      body,
      headers: { 'if-match': '*' },
    });
    expectProblem(answer, 422, 'campaign.window-empty', '/end');
    await nothingHappened();
  });
});

describe('a change', () => {
  const reason = { reason: 'r' };
  const changes: [verb: string, body: object][] = [
    ['schedule', {}],
    ['wave', { waveUpTo: 10_000 }],
    ['pause', reason],
    ['resume', {}],
    ['complete', reason],
    ['abort', reason],
  ];
  const preconditions: [what: string, ifMatch: string | undefined, status: number, code: string][] = [
    ['without If-Match', undefined, 428, 'precondition.required'],
    ['with a stale If-Match', '"v9"', 412, 'precondition.failed'],
    ['with a weak one', 'W/"v1"', 400, 'precondition.malformed'],
    ['with a list of them', '"v1", "v2"', 400, 'precondition.malformed'],
    ['with a bare one', 'v1', 400, 'precondition.malformed'],
  ];

  it.each(preconditions)('%s is refused on every route that asks for it', async (_, ifMatch, status, code) => {
    const headers: Record<string, string> = ifMatch === undefined ? {} : { 'if-match': ifMatch };
    const pointer = status === 412 ? undefined : '/if-match';
    const refused = async (method: string, url: string, body: object) =>
      expectProblem(await muster.people(method, url, { body, headers }), status, code, pointer);
    for (const [verb, body] of changes) await refused('POST', `/v1/campaigns/${campaignId}/${verb}`, body);
    await refused('PUT', `/v1/campaigns/${campaignId}`, { name: 'x', contents: [contentId] });
    const { id } = await muster.ok('GET', '/v1/me');
    await refused('PATCH', `/v1/users/${id}`, { name: 'X' });
    expect(await campaign()).toMatchObject({ version: 1, status: 'draft' });
    await nothingHappened();
  });
});

it('prints nothing secret of all this, and no failure of ours', () => {
  expect(muster.printedSecrets()).toEqual([]);
  expect(
    muster.server.process
      .output()
      .split('\n')
      .filter((line) => line.includes('request.failed')),
  ).toEqual([]);
});
