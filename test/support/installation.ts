import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import path from 'node:path';
import { expect } from 'vitest';
import type { EnrolAnswer } from '#device-protocol/index.js';
import { type TestKey, testKey } from '#identity/testing.js';
import { eventually, temporaryFolder } from './processes.js';
import { removeServer, type Server, type ServerOptions, startServer } from './server.js';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  bytes: Buffer;
  /** The body, parsed when it is JSON of any kind. */
  body: unknown;
}

/** What to send. An object goes as JSON; text and bytes go as they are, so that they may be malformed. */
export interface Sending {
  token?: string;
  device?: Certified;
  body?: object | string | Buffer;
  headers?: Record<string, string>;
}

/** PEM of a client certificate and its key. */
export interface Certified {
  certificate: string;
  key: Pick<TestKey, 'privateKeyPem'>;
}
export interface Enrolled extends EnrolAnswer {
  key: TestKey;
}

export const PASSWORD = 'correct horse battery';
export const TUS = { 'tus-resumable': '1.0.0' };
export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
export const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** A server of its own as a process, and clients for both of its ports that send whatever a test wants. */
export class Installation {
  /** Passwords, tokens, codes and grants that were seen: the server's output must hold none. */
  readonly secrets = new Set<string>([PASSWORD]);
  ca = '';
  /** Session of the first administrator, who runs the installation and here has every role. */
  admin = '';

  protected constructor(
    public server: Server,
    readonly folder: ReturnType<typeof temporaryFolder>,
  ) {}

  static async start(name: string, env: ServerOptions['env'] = {}): Promise<Installation> {
    const folder = temporaryFolder(name);
    const data = path.join(folder.path, 'data');
    this.prepare(data);
    const server = await startServer({ data, env });
    const it = new this(server, folder);
    const { tenant, email, password } = server.administrator!;
    it.secrets.add(password);
    it.admin = await it.login(tenant, email, password);
    await it.ok('GET', '/v1/channels');
    await it.recorded('CataloguePublished'); // the first channel comes to be in the background
    it.ca = (await it.handset('GET', '/enrol/v1/ca')).bytes.toString('utf8');
    return it;
  }

  /** What a test does to the folder before the first start. */
  protected static prepare(_data: string): void {}

  async stop(options: { isSound?: boolean } = {}): Promise<void> {
    await removeServer(this.server, options);
    this.folder.remove();
  }

  /** Of the server's CA, as an enrolment names it. */
  get caFingerprint(): string {
    return sha256(Buffer.from(this.ca.replace(/-----[^-]+-----|\s/g, ''), 'base64'));
  }

  /** Moves the server's clock, milliseconds from now; 0 sets it right. */
  turnClock(milliseconds: number): void {
    writeFileSync(this.server.clockFile, String(milliseconds));
  }

  people(method: string, url: string, { token = this.admin, body, headers = {} }: Sending = {}): Promise<Answer> {
    const { text, type } = encoded(body);
    const auth = token === '' ? {} : { authorization: `Bearer ${token}` };
    const options = { method, path: url, headers: { ...auth, ...type, ...headers }, agent: false as const };
    return exchange((answered) => httpRequest(this.server.url, options, answered), text);
  }

  handset(method: string, url: string, { device, body, headers = {} }: Sending = {}): Promise<Answer> {
    const { text, type } = encoded(body);
    const agent = new Agent({ maxCachedSessions: 0 });
    const trust = this.ca === '' ? { rejectUnauthorized: false } : { ca: this.ca };
    const tls = device === undefined ? {} : { cert: device.certificate, key: device.key.privateKeyPem };
    const at = { host: '127.0.0.1', port: this.server.handsetPort, path: url, method };
    const options = { ...at, ...trust, ...tls, agent, headers: { ...type, ...headers } };
    return exchange((answered) => httpsRequest(options, answered), text).finally(() => agent.destroy());
  }

  async login(tenant: string, email: string, password = PASSWORD): Promise<string> {
    const answer = await this.people('POST', '/v1/sessions', { token: '', body: { tenant, email, password } });
    return this.secret((expectStatus(answer, 201).body as { token: string }).token);
  }

  secret(value: string): string {
    this.secrets.add(value);
    return value;
  }

  /** Asks and expects success; answers the body. */
  async ok<T = { id: string }>(method: string, url: string, sending: Sending = {}): Promise<T> {
    const answer = await this.people(method, url, sending);
    expect([200, 201, 202, 204], `${method} ${url}: ${answer.bytes.toString('utf8')}`).toContain(answer.status);
    return answer.body as T;
  }

  /** A tenant with an administrator; answers the session's token. */
  async addTenant(tenant: string): Promise<string> {
    const administrator = { email: `root@${tenant}.test`, name: 'Root', password: PASSWORD };
    await this.ok('POST', '/v1/tenants', { body: { tenant, name: tenant, administrator } });
    return this.login(tenant, administrator.email);
  }

  /** Adds a person and answers their session's token. */
  async addPerson(
    tenant: string,
    token: string,
    roles: readonly string[],
    scope: { domain?: string } = {},
  ): Promise<{ id: string; token: string }> {
    const email = `person-${randomBytes(4).toString('hex')}@${tenant}.test`;
    const body = { email, name: 'Person', password: PASSWORD, roles, ...scope };
    const { id } = await this.ok('POST', '/v1/users', { token, body });
    return { id, token: await this.login(tenant, email) };
  }

  async newCode(token = this.admin, body: object = {}): Promise<{ id: string; code: string }> {
    const issued = await this.ok<{ id: string; code: string }>('POST', '/v1/enrolment-codes', { token, body });
    this.secret(issued.code);
    return issued;
  }

  /** @param batch of the code: its channel, say */
  async enrol(token = this.admin, batch: object = {}): Promise<Enrolled> {
    const key = await testKey();
    const { code } = await this.newCode(token, batch);
    const answer = await this.handset('POST', '/enrol/v1', { body: { code, csr: key.csr } });
    return { ...(expectStatus(answer, 200).body as EnrolAnswer), key };
  }

  /** Creates an upload and answers its address. */
  async createUpload(size: number, metadata: string, token = this.admin): Promise<string> {
    const headers = { ...TUS, 'upload-length': String(size), 'upload-metadata': metadata };
    const answer = await this.people('POST', '/v1/uploads', { token, headers });
    return expectStatus(answer, 201).headers.location!;
  }

  append(location: string, bytes: Buffer, offset = 0, token = this.admin): Promise<Answer> {
    const type = { 'content-type': 'application/offset+octet-stream' };
    const headers = { ...TUS, ...type, 'upload-offset': String(offset) };
    return this.people('PATCH', location, { token, body: bytes, headers });
  }

  async upload(bytes: Buffer, token = this.admin): Promise<string> {
    const location = await this.createUpload(bytes.length, `filename ${base64('a.bin')}`, token);
    expectStatus(await this.append(location, bytes, 0, token), 204);
    return location.split('/').at(-1)!;
  }

  async publish(bytes: Buffer, token = this.admin): Promise<string> {
    const uploadId = await this.upload(bytes, token);
    const body = { uploadId, description: { name: 'radio.bin', version: '1' } };
    return (await this.ok<{ contentId: string }>('POST', '/v1/contents', { token, body })).contentId;
  }

  async draft(contents: string[], settings: object = {}, token = this.admin): Promise<string> {
    const body = { name: 'radio', contents, ...settings };
    return (await this.ok<{ campaignId: string }>('POST', '/v1/campaigns', { token, body })).campaignId;
  }

  async schedule(campaignId: string, token = this.admin): Promise<void> {
    const headers = { 'if-match': '*' };
    await this.ok('POST', `/v1/campaigns/${campaignId}/schedule`, { token, body: {}, headers });
  }

  /** Where the log ends, over all tenants and topics: it moves with whatever is recorded, audits included. */
  async end(): Promise<string> {
    return (await this.ok<{ position: string }>('GET', '/v1/events?from=end&limit=1')).position;
  }

  /** Waits until the tenant of the administrator has an event of this name. */
  async recorded(name: string): Promise<void> {
    await eventually(name, async () => {
      const { items } = await this.ok<{ items: object[] }>('GET', `/v1/events?type=${name}`);
      return items[0];
    });
  }

  /** Every fact of devices of the administrator's tenant, partition by partition, whichever log has them. */
  async deviceFacts(): Promise<{ name: string; data: object }[]> {
    const all: { name: string; data: object }[] = [];
    for (let from = ''; ; ) {
      const query = `topic=muster.device&limit=200${from === '' ? '' : `&from=${from}`}`;
      const page = await this.ok<{ items: typeof all; position: string }>('GET', `/v1/events?${query}`);
      all.push(...page.items);
      if (page.items.length === 0 || page.position === from) return all;
      from = page.position;
    }
  }

  /** Expects that the log still ends there; tells what the administrator's tenant has recorded since, if not. */
  async expectNothingSince(end: string): Promise<void> {
    if ((await this.end()) === end) return;
    const { items } = await this.ok<{ items: { name: string; data: object }[] }>('GET', `/v1/events?from=${end}`);
    throw new Error(`the log went on: ${JSON.stringify(items.map(({ name, data }) => ({ name, data })))}`);
  }

  /** Where the log ends once nothing follows from what was done before. */
  settledEnd(): Promise<string> {
    return eventually('the log is at rest', async () => {
      const before = await this.end();
      await new Promise((resolve) => setTimeout(resolve, 700));
      return (await this.end()) === before ? before : undefined;
    });
  }

  /** @returns the secrets that the server printed, its welcome apart, which shows the first password once */
  printedSecrets(): string[] {
    const { output } = this.server.process;
    const { password } = this.server.administrator!;
    const printed = output().replace(password, '');
    return [...this.secrets].filter((secret) => printed.includes(secret));
  }
}

export function expectStatus(answer: Answer, status: number): Answer {
  expect(answer.status, answer.bytes.toString('utf8').slice(0, 500)).toBe(status);
  return answer;
}

interface ProblemBody {
  type: string;
  status: number;
  code: string;
  errors?: { pointer: string; message: string }[];
}

/** A problem document of this status and code; with a pointer, one that names the field. Answers it. */
export function expectProblem(answer: Answer, status: number, code: string, pointer?: string): ProblemBody {
  const text = answer.bytes.toString('utf8').slice(0, 500);
  const body = answer.body as ProblemBody;
  expect([answer.status, body?.code, answer.headers['content-type']], text).toEqual([
    status,
    code,
    expect.stringContaining('application/problem+json'),
  ]);
  expect(body).toMatchObject({ type: `/problems/${code}`, status });
  if (pointer !== undefined)
    expect(
      body.errors?.map((error) => error.pointer),
      text,
    ).toContain(pointer);
  return body;
}

function encoded(body: Sending['body']): { text?: Buffer; type: Record<string, string> } {
  if (body === undefined) return { type: {} };
  const isPlain = typeof body !== 'object' || Buffer.isBuffer(body);
  const text = Buffer.isBuffer(body) ? body : Buffer.from(isPlain ? body : JSON.stringify(body));
  return { text, type: { 'content-type': 'application/json', 'content-length': String(text.length) } };
}

type Open = (answered: (response: IncomingMessage) => void) => ClientRequest;

/** The server may answer and close before it has read all: its answer counts then, not the broken pipe. */
function exchange(open: Open, text: Buffer | undefined): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = open((response) => {
      const parts: Buffer[] = [];
      response.on('error', reject);
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => resolve(answerOf(response, Buffer.concat(parts))));
      request.off('error', reject).on('error', () => undefined); // the answer is here
    });
    request.on('error', reject);
    request.end(text);
  });
}

function answerOf({ statusCode = 0, headers }: IncomingMessage, bytes: Buffer): Answer {
  const isJson = /json/.test(headers['content-type'] ?? '') && bytes.length > 0;
  return { status: statusCode, headers, bytes, body: isJson ? JSON.parse(bytes.toString('utf8')) : undefined };
}
