import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EventContext, eventCatalog, Keyring, PARTITIONS, PostgresLog } from '#event-log/index.js';
import { eventLogMigrations } from '#event-log/nest/event-log.module.js';
import { type Attributes, checkAttributes, checkRule, evaluate } from '#matching/index.js';
import { anyAttributes, anyRule, TEST_SCHEMA } from '#matching/testing.js';
import { newId, systemClock } from '#runtime/index.js';
import { type TestDatabase, testDatabase } from '../../../../test/support/database.js';
import { Board, BOARD_TOPICS } from '../board.js';
import { campaignDefinitions } from '../events.js';
import { PLAIN_SETTINGS } from '../plain-settings.js';
import { ChannelSelection } from '../selection.js';

/** With `npm run test:long -- rules`, 10,000 rules, each compared with every device. */
const RULES = Number(process.env.MUSTER_FUZZ_RULES ?? 400);
const DEVICES = 50;
const SEED = Number(process.env.MUSTER_PROPERTY_SEED ?? randomBytes(4).readInt32BE());
const A_CAMPAIGN = 100;
const NOW = Date.parse('2026-11-30T08:00:00.000Z');

const by = (): EventContext => ({ tenant: 'acme', actor: 'person:p', commandId: newId() });
const told = (attributes: Attributes): object =>
  JSON.parse(
    JSON.stringify(attributes, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
  ) as object;

let database: TestDatabase;
let log: PostgresLog;
/** Who reads across tenants. */
let tail: PostgresLog;
const rules = new Map(fc.sample(anyRule(), { numRuns: RULES, seed: SEED }).map((source) => [newId(), source]));
const devices = new Map(fc.sample(anyAttributes(), { numRuns: DEVICES, seed: SEED }).map((each) => [newId(), each]));

beforeAll(async () => {
  database = await testDatabase(eventLogMigrations);
  const actor = database.database('muster_campaign');
  const keyring = await Keyring.open({ database: actor, kek: randomBytes(32) });
  const common = { events: eventCatalog(campaignDefinitions), keyring, clock: systemClock };
  log = new PostgresLog({ database: actor, ...common });
  tail = new PostgresLog({ database: database.database('muster_tail'), ...common });
});
afterAll(() => database.drop());

/** Rules as contents of campaigns that run, devices as they have told what they are. */
async function record(): Promise<void> {
  const schema = { type: 'AttributeSchemaPublished', data: { version: 1, schema: TEST_SCHEMA } };
  await log.append('muster.campaign', { subject: 'schema' }, [schema], by());
  for (const [contentId, selector] of rules) {
    const description = { name: 'n', version: '1', mediaType: 'text/plain', sizeBytes: 5, attributes: {} };
    const data = { contentId, description, selector, sha256: '5e'.repeat(32), sizeBytes: 5 };
    await log.append('muster.content', { subject: contentId }, [{ type: 'ContentPublished', data }], by());
  }
  const ids = [...rules.keys()];
  for (let from = 0; from < ids.length; from += A_CAMPAIGN) await launch(ids.slice(from, from + A_CAMPAIGN));
  await log.appendFacts(
    'muster.device',
    [...devices].map(([subject, attributes]) => ({
      subject,
      context: by(),
      event: { type: 'HandsetDescribed', data: { schemaVersion: 1, zone: 'UTC', attributes: told(attributes) } },
    })),
  );
}

async function launch(contents: readonly string[]): Promise<void> {
  const campaignId = newId();
  const start = new Date(NOW).toISOString();
  const settings = {
    name: 'n',
    channel: 'main',
    contents,
    selector: 'true',
    ...{ start, end: null, windows: [], waveUpTo: 10_000, holdOut: 0, salt: 's', priority: 500 },
    ...PLAIN_SETTINGS,
    mode: 'server',
  };
  const events = [
    { type: 'CampaignDrafted', data: { campaignId, ...settings, by: null, parent: null } },
    { type: 'CampaignScheduled', data: { campaignId, at: start, start, end: null } },
    { type: 'CampaignStarted', data: { campaignId, at: start } },
  ];
  await log.append('muster.campaign', { subject: campaignId }, events, by());
}

async function* everything(topics: readonly Parameters<PostgresLog['read']>[0][]) {
  for (const topic of topics)
    for (let partition = 0; partition < PARTITIONS; partition += 1)
      for (let from = 0; ; ) {
        const records = await tail.read(topic, partition, from, 500);
        yield* records;
        if (records.length === 0) break;
        from += records.length;
      }
}

describe('rules and devices that have been through the database', () => {
  it(`are matched by the index as their originals are by evaluation, seed ${SEED}`, { timeout: 900_000 }, async () => {
    await record();
    const board = new Board();
    for await (const each of everything(BOARD_TOPICS)) board.apply(each);
    const selection = new ChannelSelection('main').follow(board.tenant('acme'));
    const checked = new Map(
      [...rules].map(([contentId, source]) => [contentId, checkRule(source, TEST_SCHEMA, 'selector')]),
    );
    let [compared, matches] = [0, 0];
    for await (const { type, subject, data } of everything(['muster.device'])) {
      expect(type).toBe('HandsetDescribed');
      const stored = checkAttributes(TEST_SCHEMA, (data as { attributes: object }).attributes, '/attributes');
      const found = selection
        .matching(stored, NOW)
        .map(({ contentId }) => contentId)
        .sort();
      const original = { device: devices.get(subject)! };
      const expected = [...checked]
        .filter(([, rule]) => evaluate(rule, original).result === true)
        .map(([id]) => id)
        .sort();
      expect(found, JSON.stringify(told(original.device))).toEqual(expected);
      compared += checked.size;
      matches += found.length;
    }
    console.log(
      `rules: ${rules.size} rules and ${devices.size} devices, ${compared} pairs, ${matches} match, seed ${SEED}`,
    );
    expect(compared).toBe(rules.size * devices.size);
    expect(matches).toBeGreaterThan(RULES);
  });
});
