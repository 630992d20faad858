import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KafkajsClient } from '#event-log/index.js';
import { startKafka, stopKafka } from '../../deploy/kafka/broker.mjs';
import { asSuperuser } from '../support/database-scan.js';
import { type Enrolled, expectStatus, Installation } from '../support/installation.js';
import { eventually, freePort, startNode, temporaryFolder } from '../support/processes.js';
import { auditOf, audited, onFolder, removeMade, startServer } from '../support/server.js';

/*
 * Audit, backup and restore where Kafka carries the log: facts of devices are there alone. One installation, restored beside
 * the Kafka that it had, and beside another one.
 */

const folder = temporaryFolder('kafka-backup');
const at = (name: string): string => path.join(folder.path, name);
const kek = at('kek');
const head = at('head.json');
const brokerFolders: string[] = [];
const outputs: (() => string)[] = [];
let muster: Installation;
let device: Enrolled;
let offer: { contentId: string; campaignId: string };
let ports: Record<string, string>;
let brokers: string;

beforeAll(async () => {
  ports = { MUSTER_PORT: String(await freePort()), MUSTER_HANDSET_PORT: String(await freePort()) };
  muster = await Installation.start('kafka-backup', ports);
  outputs.push(muster.server.process.output);
  brokerFolders.push(path.join(path.dirname(muster.server.data), 'broker'));
  brokers = readFileSync(path.join(muster.server.data, 'kafka.brokers'), 'utf8').trim();
  cpSync(path.join(muster.server.data, 'keys', 'kek'), kek);
  device = await muster.enrol();
  const contentId = await muster.publish(randomBytes(2_000));
  const campaignId = await muster.draft([contentId]);
  await muster.schedule(campaignId);
  await muster.settledEnd();
  offer = { contentId, campaignId };
  const body = { snapshotVersion: 1, requests: [offer] };
  expectStatus(await muster.handset('POST', '/d/v1/requests', { device, body }), 200);
  for (const n of [1, 2]) await reports(n);
});
afterAll(async () => {
  await muster?.stop({ isSound: false }); // its last test spoils it
  for (const each of brokerFolders) await stopKafka(each);
  for (const output of outputs) removeMade(output());
  folder.remove();
});

/** One fact of the handset, acknowledged. */
async function reports(n: number): Promise<void> {
  const fact = { type: 'TransferStarted', data: offer, occurredAt: new Date().toISOString(), seq: { epoch: 1, n } };
  const answer = await muster.handset('POST', '/d/v1/facts', { device, body: { facts: [fact] } });
  expect(expectStatus(answer, 200).body).toEqual({ accepted: { epoch: 1, n } });
}
const onKafka = (list: string) => ({ MUSTER_LOG: 'kafka', KAFKA_BROKERS: list });
const restore = (from: string, to: string, env: Record<string, string>) =>
  onFolder({ data: at(to) }, ['restore', at(from), '--kek', kek, '--json'], env);

/** Stops the server; it goes on from another folder, on the same ports and beside the broker that is next to it. */
async function goOnFrom(data: string): Promise<void> {
  await muster.server.process.stop();
  const { administrator } = muster.server;
  muster.server = { ...(await startServer({ data: at(data), env: ports })), administrator };
  outputs.push(muster.server.process.output);
}

/** What a start prints that ends by itself. */
async function refusedStart(data: string, list: string): Promise<string> {
  const main = path.resolve('dist/apps/muster/src/main.js');
  const { PATH, HOME } = process.env;
  const child = startNode(main, [], { env: { PATH, HOME, MUSTER_DATA: at(data), ...ports, ...onKafka(list) } });
  expect(await child.exited).not.toBe(0);
  return child.output();
}

const AHEAD = /muster\.[a-z]+\/\d+: Kafka holds the log up to \d+, Postgres up to \d+: was an older backup restored\?/;

describe('an audit on Kafka', () => {
  it('reads both logs, finds nothing, and says what it looked at', async () => {
    const report = await auditOf(muster.server, '--chain', head);
    expect(report).toMatchObject({ ok: true, findings: [], relay: { duplicates: 0, pending: 0 } });
    expect(report.records - report.relay!.published).toBeGreaterThanOrEqual(3); // facts of the device, from Kafka alone
    expect(report.sequences.sources).toBeGreaterThan(0);
  });

  it('is refused without the settings of Kafka, and says which are missing', async () => {
    const { code, output } = await onFolder(muster.server, ['audit', '--json'], { MUSTER_LOG: 'postgres' });
    expect(code).toBe(1);
    expect(output).toContain('log.kept-on-kafka');
    expect(output).toContain('KAFKA_BROKERS');
  });

  it('names a row that a fact in Kafka has left behind', async () => {
    const set = (n: number) =>
      asSuperuser(muster.server.data, (client) => client.query('update ops.device_sequence set n = $1', [n]));
    await set(1); // the last command may have been cut off before its answer
    expect((await auditOf(muster.server)).findings).toEqual([]);
    await set(0);
    expect((await auditOf(muster.server)).findings).toEqual([expect.objectContaining({ code: 'row.behind' })]);
    await set(2);
  });
});

describe('a backup on Kafka', () => {
  it('holds the facts of devices, and where every topic ended', async () => {
    const { code, output, stdout } = await onFolder(muster.server, ['backup', at('saved'), '--json']);
    expect(code, output).toBe(0);
    expect((JSON.parse(stdout) as { facts: number }).facts).toBeGreaterThanOrEqual(3);
    const { kafka } = JSON.parse(readFileSync(at('saved/manifest.json'), 'utf8')) as {
      kafka: { ends: Record<string, number> };
    };
    const topics = Object.keys(kafka.ends).map((place) => place.split('/')[0]);
    expect(topics).toEqual(expect.arrayContaining(['muster.campaign', 'muster.content', 'muster.device']));
  });

  it('is refused beside the Kafka that has gone on, which is told apart by topic, partition and offsets', async () => {
    await muster.publish(randomBytes(1_000));
    await muster.settledEnd();
    await audited(muster.server);
    await muster.server.process.stop();
    const { code, output } = await restore('saved', 'refused', onKafka(brokers));
    expect(code).toBe(1);
    expect(output).toMatch(/"code":"kafka\.ahead","topic":"muster\.[a-z]+","partition":\d+,"kafka":\d+,"backup":\d+/);
    expect(existsSync(at('refused'))).toBe(false);
  });

  it('is refused without the settings of Kafka, where its facts would be lost', async () => {
    const { code, output } = await restore('saved', 'refused', {});
    expect(code).toBe(1);
    expect(output).toContain('log.kept-on-kafka');
    expect(existsSync(at('refused'))).toBe(false);
  });

  it('is restored beside an empty Kafka, at the same offsets; handsets go on', async () => {
    brokerFolders.push(at('second/broker'));
    const second = (await startKafka({ folder: at('second/broker'), freePorts: true })).brokers.join(',');
    const { code, output, stdout } = await restore('saved', 'second/data', onKafka(second));
    expect(code, output).toBe(0);
    outputs.push(() => output);
    expect(JSON.parse(stdout)).toMatchObject({ newerFacts: 0 });
    // By mistake beside the Kafka that it had:
    expect(await refusedStart('second/data', brokers)).toMatch(AHEAD);

    await goOnFrom('second/data');
    const report = await eventually('the relay has filled the topics', async () => {
      const each = await auditOf(muster.server, '--head', head);
      return each.relay?.pending === 0 ? each : undefined;
    });
    expect(report.findings).toEqual([]); // the chain's head of before the backup among them
    await reports(3);
    await audited(muster.server);
  });

  it('is restored beside the Kafka that has only facts of devices more: they are kept, and count', async () => {
    const saved = await onFolder(muster.server, ['backup', at('later')]);
    expect(saved.code, saved.output).toBe(0);
    await reports(4);
    await muster.server.process.stop();
    const list = readFileSync(at('second/data/kafka.brokers'), 'utf8').trim();
    const { code, output, stdout } = await restore('later', 'second/again', onKafka(list));
    expect(code, output).toBe(0);
    outputs.push(() => output);
    expect((JSON.parse(stdout) as { newerFacts: number }).newerFacts).toBeGreaterThanOrEqual(1);

    await goOnFrom('second/again');
    await audited(muster.server);
    await reports(5);
    await audited(muster.server);
  });
});

describe('an audit of facts that nobody sent', () => {
  it('names each by topic, partition and offset', async () => {
    const list = readFileSync(path.join(muster.server.data, 'kafka.brokers'), 'utf8').trim();
    const client = new KafkajsClient({ brokers: list.split(',') });
    try {
      const end = (await client.ends(['muster.device'])).get('muster.device')?.[7] ?? 0;
      await client.send([
        { topic: 'muster.device', partition: 7, records: [{ key: 'main/forged', value: 'nothing', headers: {} }] },
      ]);
      const { findings } = await auditOf(muster.server);
      expect(findings).toContainEqual(
        expect.objectContaining({ code: 'record.no-tenant', where: `muster.device/7/${end}` }),
      );
    } finally {
      await client.close();
    }
  });
});
