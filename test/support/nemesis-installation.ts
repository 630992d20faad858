import path from 'node:path';
import pg from 'pg';
import { startKafka, stopKafka } from '../../deploy/kafka/broker.mjs';
import { TEST_BUILD } from './faulty.js';
import { writeFleet } from './fleet.js';
import { GivenPostgres } from './given-postgres.js';
import { Copy } from './nemesis-copies.js';
import { Link } from './link.js';
import { freePort, temporaryFolder } from './processes.js';
import { removeMade } from './server.js';

export const BROKERS = [1, 2, 3] as const;
/** A group is one audience of contents. */
export const GROUPS = 4;
const COPIES = [1, 2] as const;
const SMALL_FLEET = 50;

interface Answer<T> {
  status: number;
  body: T;
}

/** Where the parts meet: each of these can fail by itself. */
interface Links {
  /** By the copy's name. */
  postgres: Map<string, Link>;
  brokers: Link[];
  people: Link;
  handsets: Link;
}

/** What listens behind the balancers and links, by copy or broker. */
interface Ports {
  people: number[];
  handsets: number[];
  brokers: readonly number[];
}

/**
 * The scale mode as one would run it: a given Postgres, three brokers, two copies of each service, a balancer before the
 * campaign service, and a fleet in a process of its own. Everything reaches everything else through a link.
 */
export class NemesisInstallation {
  readonly campaigns: Copy[] = [];
  readonly insights: Copy[] = [];
  fleet!: Copy;
  postgres!: GivenPostgres;
  links!: Links;
  /** Every one of them, from the moment that it is open. */
  private readonly opened: Link[] = [];
  /** Of brokers, past every link. */
  brokers: readonly string[] = [];
  private token = '';
  private readonly insightPorts: number[] = [];

  private constructor(readonly folder: ReturnType<typeof temporaryFolder>) {}

  static async start(agents: number): Promise<NemesisInstallation> {
    const made = new NemesisInstallation(temporaryFolder('nemesis'));
    const ports: Ports = { people: [], handsets: [], brokers: [] };
    try {
      await made.openLinks(ports);
      made.postgres = await GivenPostgres.start();
      await made.startBrokers(ports);
      await made.startServices(ports);
      await made.startFleet(agents);
      return made;
    } catch (error) {
      await made.remove();
      throw error;
    }
  }

  get copies(): readonly Copy[] {
    return [...this.campaigns, ...this.insights];
  }

  get kafkaFolder(): string {
    return path.join(this.folder.path, 'kafka');
  }

  get fleetFolder(): string {
    return path.join(this.folder.path, 'fleet');
  }

  /** What commands on the installation's own folder need, past every link. */
  get settings(): Record<string, string> {
    return { ...this.common, DATABASE_URL: this.postgres.url, KAFKA_BROKERS: this.brokers.join(',') };
  }

  /** Shared by the copies. */
  get data(): string {
    return path.join(this.folder.path, 'data');
  }

  private get common(): Record<string, string> {
    const { data } = this;
    const kek = { MUSTER_KEK_FILE: path.join(data, 'keys', 'kek') };
    return { ...kek, MUSTER_DATA: data, MUSTER_LOG: 'kafka', MUSTER_POLL_INTERVAL_SECONDS: '30' };
  }

  private async openLinks(ports: Ports): Promise<void> {
    const ofReady = (all: readonly number[]) => all.filter((_, i) => this.campaigns[i]?.isReady === true);
    this.links = {
      postgres: new Map(),
      brokers: await Promise.all(BROKERS.map((node) => this.open(() => ports.brokers.slice(node - 1, node)))),
      people: await this.open(() => ofReady(ports.people)),
      handsets: await this.open(() => ofReady(ports.handsets)),
    };
  }

  private async open(targets: () => readonly number[]): Promise<Link> {
    const link = await Link.open(targets);
    this.opened.push(link);
    return link;
  }

  private async startBrokers(ports: Ports): Promise<void> {
    const advertised = this.links.brokers.map(({ port }) => port);
    const options = { folder: this.kafkaFolder, brokers: BROKERS.length, freePorts: true, advertised };
    const { brokers, clientPorts } = await startKafka(options);
    this.brokers = brokers;
    ports.brokers = clientPorts;
  }

  private async startServices(ports: Ports): Promise<void> {
    for (const n of COPIES) {
      ports.people.push(await freePort());
      ports.handsets.push(await freePort());
      const own = { MUSTER_PORT: String(ports.people.at(-1)), MUSTER_HANDSET_PORT: String(ports.handsets.at(-1)) };
      this.campaigns.push(await this.copy('campaign', n, own));
      await this.campaigns.at(-1)?.waitUntilReady(); // the first makes what the others find
    }
    for (const n of COPIES) {
      this.insightPorts.push(await freePort());
      this.insights.push(await this.copy('insight', n, { MUSTER_PORT: String(this.insightPorts.at(-1)) }));
    }
    for (const copy of this.insights) await copy.waitUntilReady();
  }

  private async copy(service: 'campaign' | 'insight', n: number, own: Record<string, string>): Promise<Copy> {
    const postgresPort = Number(new URL(this.postgres.url).port);
    const link = await this.open(() => [postgresPort]);
    const name = `${service}-${n}`;
    this.links.postgres.set(name, link);
    const database = new URL(this.postgres.url);
    database.port = String(link.port);
    const env = {
      ...TEST_BUILD,
      ...this.common,
      ...own,
      DATABASE_URL: database.href,
      KAFKA_BROKERS: this.links.brokers.map(({ port }) => `127.0.0.1:${port}`).join(','),
    };
    const script = path.resolve(`dist/apps/${service}/src/main.js`);
    const copy = new Copy({ name, script, env, folder: this.folder.path, ready: / is ready at / });
    copy.start();
    return copy;
  }

  /** Handsets of the first administrator's tenant, each with a one-time code, woken by a timer of their rules. */
  private async startFleet(agents: number): Promise<void> {
    const said = this.campaigns.map((copy) => copy.output()).join('');
    const first = /administrator (\S+) of tenant (\S+), password (\S+)/.exec(said);
    const [, email, tenant, password] = first ?? [];
    this.token = (await this.ok<{ token: string }>('POST', '/v1/sessions', { tenant, email, password })).token;
    const attributes = { group: { type: 'int' } };
    await this.ok('PUT', '/v1/schema', { version: 1, attributes });
    const { version } = await this.ok<{ version: number }>('GET', '/v1/rules/main');
    const seconds = agents > SMALL_FLEET ? 15 : 5; // many more polls would leave nothing of the machine
    const rules = [{ id: 'often', on: ['timer'], minInterval: seconds, jitter: seconds }];
    await this.ok('PUT', '/v1/rules/main', { version: version + 1, rules });
    const { caFingerprint } = await this.ok<{ caFingerprint: string }>('GET', '/v1/installation');
    const handsets = [];
    for (let n = 0; n < agents; n += 1) {
      const { code } = await this.ok<{ code: string }>('POST', '/v1/enrolment-codes', {});
      handsets.push({ name: `handset-${n}`, code, attributes: { group: n % GROUPS } });
    }
    writeFleet(this.fleetFolder, { server: `https://127.0.0.1:${this.links.handsets.port}`, caFingerprint, handsets });
    const script = path.resolve('test/support/fleet-process.mjs');
    const about = { script, args: [this.fleetFolder], env: TEST_BUILD, ready: /fleet\.started/ };
    this.fleet = new Copy({ name: 'fleet', folder: this.folder.path, ...about });
    this.fleet.start();
    await this.fleet.waitUntilReady();
  }

  /** One request of a manager, through the balancer; or to one copy of insight. Ends, whatever happens. */
  async ask<T>(method: string, url: string, { body, headers, insight }: Asking = {}): Promise<Answer<T>> {
    const port = insight === undefined ? this.links.people.port : this.insightPorts[insight];
    const isBytes = body instanceof Uint8Array;
    const answer = await fetch(`http://127.0.0.1:${port}${url}`, {
      method,
      headers: {
        ...(this.token === '' ? {} : { authorization: `Bearer ${this.token}` }),
        ...(body === undefined || isBytes ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined || isBytes ? body : JSON.stringify(body),
      signal: AbortSignal.timeout(20_000),
    });
    const text = await answer.text();
    const location = answer.headers.get('location');
    const found = text === '' ? { location } : (JSON.parse(text) as object);
    return { status: answer.status, body: found as T };
  }

  /** While nothing fails. */
  async ok<T>(method: string, url: string, body?: object, insight?: number): Promise<T> {
    const answer = await this.ask<T>(method, url, { body, insight });
    if (answer.status >= 300) throw new Error(`${method} ${url}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  async sql<R extends object>(text: string): Promise<R[]> {
    const client = new pg.Client({ connectionString: this.postgres.url });
    await client.connect();
    try {
      return (await client.query<R>(text)).rows;
    } finally {
      await client.end();
    }
  }

  async remove(): Promise<void> {
    const output = this.copies.map((copy) => copy.output()).join('');
    await this.fleet?.stop();
    await Promise.all(this.copies.map((copy) => copy.stop()));
    await Promise.all(this.opened.map((link) => link.close()));
    await stopKafka(this.kafkaFolder);
    await this.postgres?.remove();
    removeMade(output);
    this.folder.remove();
  }
}

export interface Asking {
  body?: object | Uint8Array;
  headers?: Readonly<Record<string, string>>;
  /** Which copy of insight, from 0; the campaign service when absent. */
  insight?: number;
}
