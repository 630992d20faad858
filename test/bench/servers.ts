import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { GivenPostgres } from '../support/given-postgres.js';
import { type Enrolled, Installation } from '../support/installation.js';
import { eventually, freePort, type Running, startNode } from '../support/processes.js';
import { DRIVING_CORE, MEASURED_CORE, pin } from './cpu.js';
import { type Nginx, serverIdentity, startNginx } from './nginx.js';
import { contextsFor, type Target } from './polling.js';

/** A test's clock is a file, read at each look; and a machine that stops for a second must not have polls sent away. */
const AS_IN_USE = { MUSTER_TEST_CLOCK: '', MUSTER_HANDSET_LEAST_PER_SECOND: '100000' };

/** As often as polls are put on record. */
const FLUSH_MS = 500;

export type ServerName = 'nginx' | 'node:https' | 'campaign' | 'npm start';

export const isMuster = (server: ServerName): boolean => server === 'campaign' || server === 'npm start';

/** What the other servers answer in place of Muster. */
export interface Alike {
  /** Name of the file that they serve, and its bytes. */
  files: Readonly<Record<string, Uint8Array>>;
  /** Of every answer. */
  headers: Readonly<Record<string, string>>;
}

/**
 * What a bench of the handset's port measures: the campaign service as a large fleet has it, `npm start` on the same
 * database, nginx and the least handler of node:https, all of them on one core and the bench on the other.
 */
export class Servers {
  /** Of the campaign service. */
  private campaignPort = 0;
  private campaignUrl = '';
  private barePort = 0;
  /** PEM of the authority that signed what nginx and the bare handler show. */
  private authority = '';

  private constructor(
    private readonly postgres: GivenPostgres,
    readonly muster: Installation,
    readonly devices: readonly Enrolled[],
    private readonly started: { campaign?: Running; nginx?: Nginx; bare?: Running } = {},
  ) {}

  /** @param name  of the bench. @param devices  how many are enrolled */
  static async start(
    name: string,
    devices: number,
    alike: (muster: Installation, devices: readonly Enrolled[]) => Promise<Alike>,
  ): Promise<Servers> {
    const postgres = await GivenPostgres.start();
    const muster = await Installation.start(name, { ...AS_IN_USE, DATABASE_URL: postgres.url });
    const enrolled: Enrolled[] = [];
    for (let i = 0; i < devices; i += 1) enrolled.push(await muster.enrol());
    const made = new Servers(postgres, muster, enrolled);
    await made.startRivals(await alike(muster, enrolled));
    await made.startCampaign();
    for (const server of ['nginx', 'node:https', 'campaign', 'npm start'] as const)
      for (const pid of made.pidsOf(server)) pin(pid, MEASURED_CORE);
    pin(process.pid, DRIVING_CORE);
    return made;
  }

  async stop(): Promise<void> {
    await this.started.nginx?.process.stop();
    await this.started.bare?.stop();
    await this.started.campaign?.stop();
    await this.muster.stop();
    await this.postgres.remove();
  }

  pidsOf(server: ServerName): readonly number[] {
    const { nginx, bare, campaign } = this.started;
    if (server === 'nginx') return nginx!.pids;
    return [{ 'node:https': bare!, campaign: campaign!, 'npm start': this.muster.server.process }[server].pid];
  }

  portOf(server: ServerName): number {
    const { muster, campaignPort, barePort } = this;
    return {
      nginx: this.started.nginx!.port,
      'node:https': barePort,
      campaign: campaignPort,
      'npm start': muster.server.handsetPort,
    }[server];
  }

  /** PEM of who vouches for a server. */
  authorityOf(server: ServerName): string {
    return isMuster(server) ? this.muster.ca : this.authority;
  }

  /** Whom to ask and as whom. @param as  none for anyone */
  targetOf(server: ServerName, as: readonly Enrolled[]): Pick<Target, 'port' | 'contexts'> {
    const identities = as.map(({ certificate, key }) => ({ certificate, key: key.privateKeyPem }));
    return {
      port: this.portOf(server),
      contexts: contextsFor(this.authorityOf(server), identities),
    };
  }

  /**
   * Resolves when all polls that were answered are on record, and projected where the process does that. So the cost of it is
   * in the figure of those polls, and not in the next one's.
   */
  async settled(server: ServerName): Promise<void> {
    const url = {
      campaign: this.campaignUrl,
      'npm start': this.muster.server.url,
      nginx: undefined,
      'node:https': undefined,
    }[server];
    if (url === undefined) return;
    await eventually(`${server} has recorded all polls`, async () => {
      await new Promise((resolve) => setTimeout(resolve, FLUSH_MS)); // a look costs the server more than some polls
      const text = await (await fetch(`${url}/metrics`)).text();
      const waiting = [...text.matchAll(/^(?:muster_polls_waiting|muster_projection_lag\S*) (\S+)$/gm)];
      if (waiting.length === 0) throw new Error(`no figures at ${url}/metrics`);
      return waiting.every(([, count]) => Number(count) === 0) || undefined;
    });
  }

  /** ETag of a file of `Alike`, where nginx serves it. */
  etagOf(file: string): string {
    return this.started.nginx!.etagOf(file);
  }

  private async startRivals({ files, headers }: Alike): Promise<void> {
    const folder = this.muster.folder.path;
    const clientCa = path.join(folder, 'device-ca.pem');
    writeFileSync(clientCa, await this.deviceAuthority());
    const identity = serverIdentity(folder);
    this.authority = readFileSync(identity.ca, 'utf8');
    const served = path.join(folder, 'served');
    mkdirSync(served);
    for (const [name, bytes] of Object.entries(files)) writeFileSync(path.join(served, name), bytes);
    this.started.nginx = await startNginx({ folder, ...identity, clientCa, headers });
    const settings = { ...identity, ca: clientCa, etag: BARE_ETAG, headers, folder: served };
    this.started.bare = startNode('test/bench/bare-https.mjs', [JSON.stringify(settings)]);
    this.barePort = Number((await this.started.bare.waitFor(/listening on (\d+)/))[1]);
  }

  /** PEM of who certifies devices: no door shows it, since a handset has no use for it. */
  private async deviceAuthority(): Promise<string> {
    const client = new pg.Client({ connectionString: this.postgres.url });
    await client.connect();
    const { rows } = await client.query<{ certificate: string }>(
      `select certificate from ops.authority where kind = 'device'`,
    );
    await client.end();
    return rows[0]!.certificate;
  }

  /** On the database and folder of the installation that runs already. */
  private async startCampaign(): Promise<void> {
    this.campaignPort = await freePort();
    const ports = { MUSTER_PORT: '0', MUSTER_HANDSET_PORT: String(this.campaignPort) };
    const where = { MUSTER_DATA: this.muster.server.data, DATABASE_URL: this.postgres.url };
    const env = { ...process.env, ...AS_IN_USE, ...ports, ...where };
    this.started.campaign = startNode('dist/apps/campaign/src/main.js', [], { env });
    [, this.campaignUrl = ''] = await this.started.campaign.waitFor(/ is ready at (\S+)/);
  }
}

/** Of everything that the bare handler serves. */
export const BARE_ETAG = '"bare"';
