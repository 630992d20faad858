/** What the log is measured with: facts of devices that go through the steps of one download, as the campaign service writes them. */
import pg from 'pg';
import { campaignDefinitions } from '#campaign/events.js';
import { Database, eventCatalog, Keyring, partitionOf, PostgresLog } from '#event-log/index.js';
import { deviceDefinitions } from '#handset/events.js';
import { newId, systemClock } from '#runtime/index.js';

export const TENANT = 'bench';
/** Nothing is sealed here, but several processes open the keyring of one database. */
const KEK = Buffer.alloc(32, 7);
export const catalog = eventCatalog([...campaignDefinitions, deviceDefinitions]);

const OFFER = { contentId: newId(), campaignId: newId() };
/** What the server says of a device, and what the device says itself. */
const SERVER_MADE = [
  () => ({ type: 'ContentRequested', data: { ...OFFER, snapshotVersion: 7 } }),
  () => ({ type: 'GrantIssued', data: { ...OFFER, jti: newId(), expiresAt: new Date().toISOString() } }),
];
const DEVICE_MADE = [
  () => ({ type: 'TransferStarted', data: OFFER }),
  () => ({ type: 'TransferCompleted', data: { ...OFFER, bytes: 70_000, sha256: '5e'.repeat(32) } }),
  () => ({ type: 'InstallReported', data: { ...OFFER, outcome: 'installed' } }),
];

/** `count` facts, the steps of one device after the other; numbered by the server's process or by the device, as in the product. */
export function factsOf(count) {
  const facts = [];
  while (facts.length < count) facts.push(...stepsOf(newId()));
  return facts.slice(0, count);
}

const producer = `campaign:${newId()}`;
const written = new Map();

function stepsOf(subject) {
  const factOf = (event, sequence) => {
    const context = { tenant: TENANT, actor: `device:${subject}`, commandId: newId() };
    return { subject, context, event, sequence };
  };
  const source = `${producer}/${partitionOf(`${TENANT}/${subject}`)}`;
  const next = () => written.set(source, (written.get(source) ?? 0) + 1).get(source);
  return [
    ...SERVER_MADE.map((step) => factOf(step(), { source, epoch: 1, n: next() })),
    ...DEVICE_MADE.map((step, i) => factOf(step(), { source: `device:${subject}`, epoch: 1, n: i + 1 })),
  ];
}

/** The log, written by an actor and read across tenants. @param urls by role, of a database with the log's migrations */
export async function openLog(urls) {
  const applicationName = `bench ${process.pid}`;
  const open = (role) => new Database(urls[role], { max: 6, applicationName });
  const [actor, projector] = [open('muster_campaign'), open('muster_projector')];
  const keyring = await Keyring.open({ database: actor, kek: KEK });
  const parts = { events: catalog, keyring, clock: systemClock };
  const backends = async () =>
    (await actor.query(`select pid from pg_stat_activity where application_name = $1`, [applicationName])).map(
      ({ pid }) => pid,
    );
  return {
    actor,
    keyring,
    projector,
    backends,
    /** The driver alone, for what is compared with. */
    bare: async (role) => {
      const client = new pg.Client({ connectionString: urls[role], application_name: applicationName });
      await client.connect();
      return client;
    },
    writer: new PostgresLog({ ...parts, database: actor }),
    reader: new PostgresLog({ ...parts, database: projector }),
  };
}
