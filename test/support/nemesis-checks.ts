import { KafkajsClient } from '#event-log/index.js';
import { type HandsetState, readFleet } from './fleet.js';
import type { NemesisInstallation } from './nemesis-installation.js';
import type { Acknowledged, Managers } from './nemesis-managers.js';
import { type Audited, onFolder } from './server.js';

type FetchedRecord = Awaited<ReturnType<KafkajsClient['fetch']>>['records'][number];

/** Why the installation is not at rest yet, one line a reason; none when all is done that follows from what was done. */
export async function unsettled(muster: NemesisInstallation, managers: Managers): Promise<string[]> {
  const reasons = await Promise.all([
    copiesDown(muster),
    behind(muster),
    ...muster.insights.map((_, copy) => projectionsBehind(muster, copy)),
    Promise.resolve(unfinished(readFleet(muster.fleetFolder), managers)),
  ]).catch((error: unknown) => [[`no answer: ${String(error)}`]]);
  return reasons.flat();
}

async function copiesDown(muster: NemesisInstallation): Promise<string[]> {
  const down = muster.copies.filter(({ isReady }) => !isReady).map(({ name }) => `${name} is down`);
  const { status, body } = await muster.ask('GET', '/readyz');
  return status === 200 ? down : [...down, `not ready: ${JSON.stringify(body)}`];
}

/** Records that Kafka does not have, and, of the relayed topics, that a read model has not applied; streams put aside. */
async function behind(muster: NemesisInstallation): Promise<string[]> {
  const live = await muster.sql<{ schema: string }>('select schema from proj.generation');
  const parts = [UNRELAYED, ...live.map(({ schema }) => unapplied(schema))];
  return (await muster.sql<{ line: string }>(parts.join(' union all '))).map(({ line }) => line);
}

const UNRELAYED = `
  select 'relay: ' || h.topic || '/' || h.part as line
    from log.head h left join log.relay r on r.topic = h.topic and r.part = h.part
    where h.topic <> 'muster.device' and coalesce(r.next_off, 0) < h.next_off`;

const unapplied = (schema: string): string => `
  select 'projection: ' || c.projection || ' ' || c.topic || '/' || c.part
    from ${schema}.checkpoint c join log.head h on h.topic = c.topic and h.part = c.part
    where c.topic <> 'muster.device' and c.next_off < h.next_off
  union all
  select 'parked: ' || projection || ' ' || stream from ${schema}.parked`;

interface ProjectionLine {
  name: string;
  state: string;
  lagEvents: number;
  parked: number;
}

async function projectionsBehind(muster: NemesisInstallation, insight: number): Promise<string[]> {
  const { items } = await muster.ok<{ items: ProjectionLine[] }>('GET', '/v1/projections', undefined, insight);
  return items
    .filter(({ state, lagEvents, parked }) => state !== 'live' || lagEvents > 0 || parked > 0)
    .map((line) => `insight-${insight + 1} says ${JSON.stringify(line)}`);
}

const TERMINAL: ReadonlySet<string | undefined> = new Set(['installed', 'failed', 'cancelled']);

/** Handsets that a running campaign fits and that have not ended with its content; transfers under way. */
function unfinished(fleet: readonly HandsetState[], { running }: Managers): string[] {
  return fleet.flatMap(({ name, group, stages, declined }) => [
    ...running
      .filter((each) => each.group === group)
      .filter(
        ({ contentId, campaignId }) =>
          !TERMINAL.has(stages[contentId]) && !isFinal(declined[`${contentId} ${campaignId}`]),
      )
      .map(({ contentId }) => `${name}: ${contentId} is ${stages[contentId] ?? 'not asked for'}`),
    ...Object.entries(stages)
      .filter(([, stage]) => !TERMINAL.has(stage))
      .map(([contentId, stage]) => `${name}: ${contentId} is ${stage}`),
  ]);
}

const isFinal = (reason: string | undefined): boolean => reason === 'digest' || reason === 'install-failed';

export interface Tally {
  acknowledged: number;
  recovered: number;
  lost: number;
  doubled: number;
  /** What was lost, by name. */
  missing?: readonly string[];
}

/** What was acknowledged to managers against one log: each event of each subject there, and once. */
export function tallyOfCommands(acknowledged: readonly Acknowledged[], found: ReadonlyMap<string, number>): Tally {
  const counts = acknowledged.map(({ event, subject }) => found.get(`${event} ${subject}`) ?? 0);
  const recovered = counts.filter((count) => count > 0).length;
  const doubled = counts.filter((count) => count > 1).length;
  const missing = acknowledged.filter((_, i) => counts[i] === 0).map(({ event, subject }) => `${event} ${subject}`);
  return { acknowledged: counts.length, recovered, lost: missing.length, doubled, missing };
}

/** By `<event> <subject>`: how many events the log in Postgres holds. */
export async function eventsInPostgres(muster: NemesisInstallation): Promise<Map<string, number>> {
  const rows = await muster.sql<{ type: string; subject: string; count: string }>(
    `select type, split_part(stream, '/', 2) as subject, count(*) as count from log.record
     where topic in ('muster.campaign', 'muster.content') group by 1, 2`,
  );
  return new Map(rows.map(({ type, subject, count }) => [`${eventOf(type)} ${subject}`, Number(count)]));
}

/** `muster.campaign.campaign-drafted.v1` is CampaignDrafted. */
const eventOf = (type: string): string =>
  (type.split('.')[2] ?? '').replace(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());

interface Kept {
  /** By `<event> <subject>`, each event id once however often it was relayed. */
  events: Map<string, number>;
  /** By device id: numbers of its own facts. */
  facts: Map<string, Set<number>>;
  /** Installations that a device reports of one content, beyond the first. */
  doubledInstalls: number;
  /** Records that a reader drops, because they came before. */
  repeats: number;
}

/** Everything that Kafka holds, by a client of its own and without our reader: what any consumer could find. */
export async function readKafka(brokers: readonly string[]): Promise<Kept> {
  const client = new KafkajsClient({ brokers });
  const kept: Kept = { events: new Map(), facts: new Map(), doubledInstalls: 0, repeats: 0 };
  const seen = new Set<string>();
  const installed = new Set<string>();
  try {
    for await (const { topic, record } of everyRecord(client)) {
      const id = topic === 'muster.device' ? sequenceOf(record) : header(record, 'ce_id');
      if (seen.has(id)) kept.repeats += 1;
      else if (topic === 'muster.device') keepFact(record, kept, installed);
      else {
        const key = `${eventOf(header(record, 'ce_type'))} ${header(record, 'ce_subject')}`;
        kept.events.set(key, (kept.events.get(key) ?? 0) + 1);
      }
      seen.add(id);
    }
    return kept;
  } finally {
    await client.close();
  }
}

async function* everyRecord(client: KafkajsClient): AsyncGenerator<{ topic: string; record: FetchedRecord }> {
  const ends = await client.ends(['muster.content', 'muster.campaign', 'muster.device']);
  for (const [topic, partitions] of ends)
    for (const [partition, end] of partitions.entries())
      for (let at = 0; at < end; ) {
        const { records, next } = await client.fetch(topic, partition, at, 1_048_576);
        yield* records.filter(({ isControl }) => !isControl).map((record) => ({ topic, record }));
        at = next;
      }
}

function keepFact(record: FetchedRecord, { facts, ...kept }: Kept, installed: Set<string>): void {
  const device = header(record, 'ce_subject');
  if (header(record, 'ce_sequencesource') !== `device:${device}`) return;
  facts.set(device, (facts.get(device) ?? new Set()).add(Number(header(record, 'ce_sequence'))));
  if (eventOf(header(record, 'ce_type')) !== 'InstallReported') return;
  const { contentId, outcome } = JSON.parse(record.value?.toString('utf8') ?? '') as Record<string, string>;
  const install = `${device} ${contentId}`;
  if (outcome === 'installed' && installed.has(install)) kept.doubledInstalls += 1;
  installed.add(install);
}

const header = ({ headers }: FetchedRecord, name: string): string => String(headers[name] ?? '');
const sequenceOf = (record: FetchedRecord): string =>
  ['ce_sequencesource', 'ce_sequenceepoch', 'ce_sequence'].map((name) => header(record, name)).join(' ');

/** What handsets were told that the server has, against what Kafka holds. */
export function tallyOfFacts(fleet: readonly HandsetState[], facts: Kept['facts']): Tally {
  let acknowledged = 0;
  const missing: string[] = [];
  for (const { deviceId, acknowledged: upTo } of fleet) {
    acknowledged += upTo.n;
    for (let n = 1; n <= upTo.n; n += 1) if (facts.get(deviceId)?.has(n) !== true) missing.push(`${deviceId} ${n}`);
  }
  const doubled = fleet.reduce((sum, { installed }) => sum + installed.length - new Set(installed).size, 0);
  return { acknowledged, recovered: acknowledged - missing.length, lost: missing.length, doubled, missing };
}

/** Folds both logs whole, and compares every read model with what a rebuild from Kafka makes. */
export async function auditOf({ data, postgres, settings }: NemesisInstallation): Promise<Audited> {
  const on = { data, databaseUrl: postgres.url };
  const { output, stdout } = await onFolder(on, ['audit', '--json'], settings);
  if (!stdout.startsWith('{')) throw new Error(`no audit:\n${output}`);
  return JSON.parse(stdout) as Audited;
}
