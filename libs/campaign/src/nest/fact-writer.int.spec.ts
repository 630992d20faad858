import { connect, createServer, type Server, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database, eventCatalog, Keyring, type LoginRole, PARTITIONS, PostgresLog } from '#event-log/index.js';
import { eventLogMigrations } from '#event-log/nest/event-log.module.js';
import { newId, systemClock } from '#runtime/index.js';
import { type TestDatabase, testDatabase } from '../../../../test/support/database.js';
import { campaignDefinitions, type DeviceFactByServer } from '../events.js';
import { deviceContext, FactWriter } from './fact-writer.js';

const KEK = new Uint8Array(32);
let database: TestDatabase;
let proxy: Server;
let writers: Database;
let log: PostgresLog;
let tail: PostgresLog;
/** Cuts the next connection that commits, once the server has done so: its client never hears of it. */
let cutsAtCommit = false;

beforeAll(async () => {
  database = await testDatabase(eventLogMigrations);
  proxy = createServer((client) => {
    const url = new URL(database.url('muster_campaign'));
    const server = connect(Number(url.port), url.hostname);
    let isCut = false;
    client.on('data', (bytes) => {
      isCut ||= cutsAtCommit && bytes.toString('latin1').includes('commit');
      if (isCut) cutsAtCommit = false;
      server.write(bytes);
    });
    server.on('data', (bytes) => (isCut ? client.destroy() : client.write(bytes)));
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const)
      one.on('close', () => other.destroy()).on('error', () => one.destroy());
  });
  await new Promise<void>((done) => proxy.listen(0, '127.0.0.1', done));
  const through = new URL(database.url('muster_campaign'));
  through.port = String((proxy.address() as AddressInfo).port);
  writers = new Database(through.href, { max: 2 });
  log = await logOf(writers);
  tail = await logOf(database.database('muster_tail'), 'muster_campaign');
});
afterAll(async () => {
  await writers.end();
  proxy.close();
  await database.drop();
});

async function logOf(own: Database, keys?: LoginRole): Promise<PostgresLog> {
  const keyring = await Keyring.open({ database: keys === undefined ? own : database.database(keys), kek: KEK });
  return new PostgresLog({ database: own, events: eventCatalog(campaignDefinitions), keyring, clock: systemClock });
}

const deviceId = newId();
const factOf = (snapshotVersion: number) => {
  const data = { channel: 'main', snapshotVersion, digest: 'a1b2c3d4e5f6' };
  const event: DeviceFactByServer = { type: 'DescriptionsSent', data };
  return { subject: deviceId, context: deviceContext('acme', deviceId), event };
};

/** [version, source, n] in the order of the log, of what was appended since the last look. */
async function written() {
  const parts = Array.from({ length: PARTITIONS }, (_, at) => tail.read('muster.device', at, 0, 1_000));
  const records = (await Promise.all(parts)).flat();
  return records.map(({ data, sequence }) => {
    return { version: (data as { snapshotVersion: number }).snapshotVersion, ...sequence };
  });
}

describe('a connection that is lost at commit', () => {
  it.each([
    ['who waits gets the answer', true],
    ['who does not wait is told, and the facts are written all the same', false],
  ])('makes no new fact of a repetition: %s', async (_, isPatient) => {
    const writer = new FactWriter(log);
    const [first, second] = isPatient ? [1, 2] : [3, 4];
    cutsAtCommit = true;
    const outcome = await writer.append([factOf(first)], { isPatient }).catch(({ code }: { code: string }) => code);
    expect(outcome).toBe(isPatient ? undefined : 'log.unavailable');
    await writer.append([factOf(second)], { isPatient: true });
    const own = (await written()).filter(({ version }) => version === first || version === second);
    expect(own.map(({ version, n }) => [version, n])).toEqual([
      [first, 1],
      [first, 1], // the same number: every reader drops it
      [second, 2],
    ]);
    expect(new Set(own.map(({ source }) => source)).size).toBe(1);
  });
});
