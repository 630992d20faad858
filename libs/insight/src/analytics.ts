import { type Database, liveSchema, type Projection, type Tx } from '#event-log/index.js';
import { campaignProgress } from './views/campaign-progress.js';
import { deviceTimeline } from './views/device-timeline.js';

/** A view for analysts. Its columns never change meaning; a new shape is a new name (`v2_…`). */
interface AnalystView {
  projection: Projection;
  comment: string;
  /** Column and what it means, for people and BI tools. */
  columns: Readonly<Record<string, string>>;
}

const VIEWS: readonly AnalystView[] = [
  {
    projection: campaignProgress,
    comment: 'The funnel of each campaign: distinct devices that came to each step. One row a campaign.',
    columns: {
      tenant: 'Tenant; always the one of the login role.',
      campaign_id: 'Campaign.',
      name: 'Name of the campaign as last edited.',
      channel: 'Channel: the named audience of handsets.',
      status: 'draft, scheduled, running, paused, completed or aborted.',
      polled: 'Devices whose poll was answered with a catalogue that held the campaign.',
      matched: 'Devices that asked for a content, or declined one with any reason but no-fit.',
      requested: 'Devices that asked for a content, granted or held back.',
      transferred: 'Devices that hold a content, its digest checked.',
      installed: 'Devices that reported an installation.',
      confirmed: 'Devices that confirmed that they work with what was installed.',
      dropped: 'JSON list of {kind, reason, devices}: devices that are not going on, by last word or gate.',
      event_at: 'When the newest fact in the row came.',
      seq: 'Where that fact stands in the log: topic/partition/offset.',
    },
  },
  {
    projection: deviceTimeline,
    comment: 'What happened to each device, polls included. One row a thing; order by event_at, seq, item.',
    columns: {
      tenant: 'Tenant; always the one of the login role.',
      device_id: 'Device.',
      event_at: 'When it happened, by the clock of who saw it.',
      received_at: 'When it came to the server.',
      seq: 'Where its record stands in the log: topic/partition/offset.',
      item: 'Place in the record: polls are recorded many at a time, other things one.',
      event: 'Name of the event.',
      text: 'The same in words.',
      campaign_id: 'Campaign that it is about, if one.',
      content_id: 'Content that it is about, if one.',
      code: 'The reason, gate, outcome, rule or key that the event names.',
    },
  },
];

/**
 * Brings the text of the views over the live read models up to date, and says what is in them; repeating is harmless. The
 * read models' tables must be there. The views belong to `muster_analytics` and are not invoker views: analysts have no
 * grant below them.
 * @param owner  role `muster_owner`, which may become `muster_analytics`
 */
export async function publishViews(owner: Database): Promise<void> {
  await owner.transaction(async (tx) => {
    await tx.query(`select pg_advisory_xact_lock(hashtext('muster.analytics'))`);
    await tx.query('set local role muster_analytics');
    await tx.query('lock table proj.generation in access share mode'); // no rebuild swaps meanwhile
    for (const view of VIEWS) await publish(tx, view);
  });
}

async function publish(tx: Tx, { projection, comment, columns }: AnalystView): Promise<void> {
  const schema = await liveSchema(tx, projection);
  if (schema === undefined) throw new Error(`${projection.name} has no tables yet`);
  for (const { name, sql } of projection.views ?? []) {
    await tx.query(`create or replace view ${name} as ${sql(schema)}`);
    await tx.query(`comment on view ${name} is ${literal(comment)}`);
    for (const [column, meaning] of Object.entries(columns))
      await tx.query(`comment on column ${name}.${column} is ${literal(meaning)}`);
    await tx.query(`grant select on ${name} to analyst_ro`);
  }
}

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
