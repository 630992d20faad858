import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { type IncomingMessage, type ServerResponse } from 'node:http';
import {
  type ContentDescription,
  type ContentRequests,
  type Declines,
  type DeviceFact,
  type EnrolAnswer,
  type GrantClaims,
  INBOX_HEADER,
  type InboxItem,
  INTERVAL_HEADER,
  type Offer,
  type RequestAnswer,
} from '#device-protocol/index.js';
import { type JsonObject } from '#tuf/index.js';
import { RepositorySimulator } from '#tuf/testing.js';
import { requestHash } from './grant.js';
import { type IssueOptions, type Misbehaviour, sendContent, type TestServer, testServer } from './test-server.js';

export const DEVICE = '01890a5d-ac96-774b-bcce-b302099a8001';
export const CAMPAIGN = '01890a5d-ac96-774b-bcce-b302099a8002';

/** An offer of which every gate is open, but for what the test changes. */
export const offer = (change: Partial<Offer> = {}): Offer => ({
  campaign: CAMPAIGN,
  selector: 'true',
  salt: 'salt',
  waveUpTo: 10_000,
  holdOut: 0,
  start: '2020-01-01T00:00:00.000Z',
  end: null,
  windows: [],
  priority: 500,
  ...change,
});

interface Kept {
  bytes: Buffer;
  etag: string;
}

/** A server of the handset protocol in memory, over real TLS, for one device. A test changes it and lets a real agent poll. */
export class MusterSimulator {
  /** Begins now: certificates and metadata are of the same hour as the agent's clock. */
  readonly repository: RepositorySimulator;
  readonly facts: DeviceFact[] = [];
  readonly declines: Declines['declines'][number][] = [];
  readonly requested: ContentRequests['requests'][number][] = [];
  readonly polls: (string | undefined)[] = [];
  /** Everything that came in, headers and bodies: for what must not be in it. */
  readonly heard: string[] = [];
  inbox: InboxItem[] = [];
  /** For every route; then for the contents alone. */
  failure: { status: number; headers?: Record<string, string> } | undefined;
  misbehaviours: Misbehaviour[] = [];
  /** One route that fails, and how often it has. */
  failing: { path: string; status: number; headers?: Record<string, string> } | undefined;
  failed = 0;
  /** A gate instead of a grant. */
  gate: { gate: 'paused' | 'cap' | 'withdrawn'; retryAfterSeconds?: number } | undefined;
  grantedTo = DEVICE;
  expiredGrants = 0;
  certificate: IssueOptions = {};
  rules: object = { version: 1, rules: [{ id: 'on-network', on: ['network'] }] };
  private readonly contents = new Map<string, Kept>();
  private readonly keys = generateKeyPairSync('ed25519');

  private constructor(
    readonly server: TestServer,
    now: number,
  ) {
    this.repository = new RepositorySimulator(now);
    this.repository.addTarget('policy/grant-keys', this.grantKeys());
    server.behave((request, response, body) => void this.answer(request, response, body));
  }

  static async start(now = Date.now()): Promise<MusterSimulator> {
    return new MusterSimulator(await testServer(), now);
  }

  private grantKeys(): Uint8Array {
    const jwk = { ...this.keys.publicKey.export({ format: 'jwk' }), kid: 'grant-1' };
    return Buffer.from(JSON.stringify({ keys: [jwk] }));
  }

  publishSchema(schema: object): void {
    this.repository.addTarget('schema/1', Buffer.from(JSON.stringify(schema)));
  }

  publishRules(version: number, rules: object): void {
    this.repository.addTarget(`rules/${version}`, Buffer.from(JSON.stringify(rules)));
  }

  /** Offers a content; `publish` makes it public. */
  offerContent(
    contentId: string,
    bytes: Buffer,
    offers: readonly Offer[],
    more: Partial<ContentDescription> = {},
  ): void {
    const description = {
      name: contentId,
      version: '1',
      mediaType: 'application/octet-stream',
      sizeBytes: bytes.length,
    };
    const custom = { description: { ...description, attributes: {}, ...more }, offers };
    this.repository.addTarget(`content/${contentId}`, bytes, { custom: custom as unknown as JsonObject });
    this.contents.set(contentId, { bytes, etag: `"${contentId}-1"` });
  }

  changeEtag(contentId: string): void {
    this.contents.get(contentId)!.etag = `"${contentId}-2"`;
  }

  publish(): void {
    this.repository.publishTargets();
  }

  private async answer(request: IncomingMessage, response: ServerResponse, body: string): Promise<void> {
    const url = request.url ?? '';
    this.heard.push(`${request.method} ${url} ${JSON.stringify(request.headers)} ${body}`);
    if (this.failure !== undefined) return void response.writeHead(this.failure.status, this.failure.headers).end();
    if (this.failing?.path === url) {
      this.failed += 1;
      return void response.writeHead(this.failing.status, this.failing.headers).end();
    }
    if (url.startsWith('/enrol/v1')) return this.enrolment(url, response, body);
    if (url.startsWith('/tuf/')) return this.metadata(request, response, url.slice('/tuf/main/main/'.length));
    if (url.startsWith('/d/v1/contents/')) return this.content(request, response, url.slice('/d/v1/contents/'.length));
    return this.device(request, response, body);
  }

  private async enrolment(url: string, response: ServerResponse, body: string): Promise<void> {
    if (url.endsWith('/ca')) return void response.end(this.server.authority.certificate);
    const { code, csr } = JSON.parse(body) as { code?: string; csr: string };
    if (code === 'used') return this.json(response, { code: 'enrolment.code-used' }, 409);
    const answer: EnrolAnswer = {
      tenant: 'main',
      deviceId: DEVICE,
      deviceNo: 0,
      channel: 'main',
      certificate: await this.server.authority.sign(csr, this.certificate),
      serverCa: this.server.authority.certificate,
      epoch: 1,
      tuf: '/tuf/main/main/',
      root: Buffer.from(this.repository.file('1.root.json')).toString(),
      rules: JSON.stringify(this.rules),
      intervalSeconds: 600,
    };
    this.json(response, answer);
  }

  private metadata(request: IncomingMessage, response: ServerResponse, name: string): void {
    const bytes = this.repository.files.get(name);
    if (bytes === undefined) return void response.writeHead(404).end();
    const etag = `"${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}"`;
    const headers: Record<string, string> = { etag };
    if (name === 'timestamp.json') {
      this.polls.push(request.headers['muster-trigger'] as string | undefined);
      Object.assign(headers, { [INBOX_HEADER]: this.inboxEtag(), [INTERVAL_HEADER]: '600' });
      if (request.headers['if-none-match'] === etag) return void response.writeHead(304, headers).end();
    }
    response.writeHead(200, headers).end(bytes);
  }

  private inboxEtag(): string {
    return `"inbox-${this.inbox.map(({ id }) => id).join('-')}"`;
  }

  private content(request: IncomingMessage, response: ServerResponse, contentId: string): void {
    const kept = this.contents.get(contentId);
    if (kept === undefined) return void response.writeHead(404).end();
    if (this.expiredGrants-- > 0) return this.json(response, { code: 'grant.expired' }, 401);
    const misbehaviour = this.misbehaviours.shift() ?? { kind: 'none' };
    sendContent(request, response, { ...kept, misbehaviour });
  }

  private device(request: IncomingMessage, response: ServerResponse, body: string): void {
    switch (`${request.method} ${request.url}`) {
      case 'POST /d/v1/requests':
        return this.json(response, { answers: this.grants(JSON.parse(body) as ContentRequests) });
      case 'POST /d/v1/declines':
        this.declines.push(...(JSON.parse(body) as Declines).declines);
        return void response.writeHead(204).end();
      case 'POST /d/v1/facts':
        this.facts.push(...(JSON.parse(body) as { facts: DeviceFact[] }).facts);
        return this.json(response, { accepted: this.facts.at(-1)!.seq });
      case 'GET /d/v1/inbox':
        return this.json(response, { items: this.inbox }, 200, { etag: this.inboxEtag() });
      default:
        return void response.writeHead(404).end();
    }
  }

  private grants({ requests, snapshotVersion }: ContentRequests): RequestAnswer[] {
    this.requested.push(...requests);
    return requests.map((asked) => {
      if (this.gate !== undefined) return { ...asked, ...this.gate };
      const { contentId } = asked;
      const bytes = this.contents.get(contentId)!.bytes;
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const grant = this.grant(asked, snapshotVersion);
      return { ...asked, grant, url: `/d/v1/contents/${contentId}`, sizeBytes: bytes.length, sha256 };
    });
  }

  private grant({ contentId, campaignId }: ContentRequests['requests'][number], snap: number): string {
    const req = requestHash({ deviceId: this.grantedTo, contentId, campaignId });
    const about = { sub: this.grantedTo, tenant: 'main', content: contentId, campaign: campaignId, req, snap };
    return signedJws({ ...about, iat: 0, exp: 4e9, jti: 'j' }, this.keys.privateKey);
  }

  private json(response: ServerResponse, value: object, status = 200, headers: Record<string, string> = {}): void {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
  }

  types(): string[] {
    return this.facts.map(({ type }) => type);
  }
}

export function signedJws(claims: GrantClaims, key: KeyObject, kid = 'grant-1'): string {
  const parts = [{ alg: 'EdDSA', kid }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
  return [...parts, sign(null, Buffer.from(parts.join('.')), key).toString('base64url')].join('.');
}
