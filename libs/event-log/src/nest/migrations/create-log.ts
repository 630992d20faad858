import type { MigrationInterface, QueryRunner } from 'typeorm';
import { PARTITIONS, TOPICS } from '../../event-log.js';

/** The log's tables and the two functions that alone write them: no role may change or delete a record. */
export class CreateLog1767000000000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(TABLES);
    for (const topic of TOPICS) {
      const name = topic.replace('muster.', '');
      await db.query(`create table log.record_${name} partition of log.record for values in ('${topic}')`);
      await db.query(`alter table log.record_${name} enable row level security`);
      await db.query(`alter table log.record_${name} force row level security`);
      await db.query(`insert into log.topic values ('${topic}', ${PARTITIONS}, 'murmur2(stream)')`);
      await db.query(`insert into log.head (topic, part) select '${topic}', generate_series(0, ${PARTITIONS - 1})`);
    }
    await db.query(POLICIES);
    await db.query(RECEIPT);
    await db.query(APPEND);
    await db.query(APPEND_FACTS);
    await db.query(GRANTS);
  }

  async down(): Promise<void> {
    throw new Error('forward only: restore a backup instead');
  }
}

const TABLES = `
  create table log.topic (
    topic text primary key,
    partitions int not null, -- frozen: another number would move keys
    key_rule text not null);

  create table log.head (
    topic text not null,
    part int not null,
    next_off bigint not null default 0, -- moved inside the appending transaction: dense, in commit order
    last_at timestamptz(3) not null default '-infinity', -- received_at never falls along a partition
    primary key (topic, part)) with (fillfactor = 20);

  create table log.stream (
    topic text not null,
    stream text not null, -- '<tenant>/<aggregate or device id>'
    tenant text not null,
    ver bigint not null,
    primary key (topic, stream),
    check (starts_with(stream, tenant || '/')));

  create table log.record (
    topic text not null,
    part int not null,
    off bigint not null,
    tenant text not null,
    stream text not null, -- also the Kafka record key
    ver bigint not null, -- 1..n in the stream; 0 for a fact
    type text not null, -- CloudEvents type with the schema version, e.g. muster.campaign.campaign-started.v1
    event_id uuid not null,
    occurred_at timestamptz(3) not null,
    received_at timestamptz(3) not null,
    actor text not null,
    command_id text not null,
    correlation_id text not null,
    causation_id text,
    traceparent text,
    seq_source text,
    seq_epoch bigint,
    seq_n bigint,
    data json not null, -- json, not jsonb: kept byte for byte, and jsonb refuses \\u0000
    primary key (topic, part, off),
    check (starts_with(stream, tenant || '/')))
    partition by list (topic);

  create unique index record_version on log.record (topic, stream, ver) where ver > 0;
  create index record_command on log.record (topic, stream, command_id) where ver > 0;`;

const POLICIES = `
  alter table log.record enable row level security;
  alter table log.record force row level security;
  alter table log.stream enable row level security;
  alter table log.stream force row level security;
  create policy tenant on log.record using (tenant = current_setting('muster.tenant', true));
  create policy tenant on log.stream using (tenant = current_setting('muster.tenant', true));
  create policy every_tenant on log.record for select to muster_tail, muster_projector using (true);`;

/**
 * When a record is received is said by the database, whose clock all instances share; only an instance whose clock a
 * test has set says it itself. Never rounded up: an instant that has passed must hold all that it will ever hold.
 */
const RECEIPT = `
  create function log.receipt(p_received timestamptz) returns timestamptz language sql volatile
  return coalesce(p_received, date_trunc('milliseconds', clock_timestamp()));`;

/** Order of locks: stream, then head. The head comes last, because it is held until commit and others wait for it. */
const APPEND = `
  create function log.append(
    p_topic text, p_part int, p_stream text, p_expected bigint, p_received timestamptz, p_occurred timestamptz,
    p_actor text, p_command text, p_correlation text, p_causation text, p_traceparent text,
    p_types text[], p_ids uuid[], p_data text[],
    out o_off bigint, out o_ver bigint, out o_ids uuid[])
  language plpgsql security definer set search_path = log, pg_temp as $$
  declare
    v_tenant text := current_setting('muster.tenant');
    v_n int := cardinality(p_types);
    v_ver bigint;
    v_at timestamptz;
  begin
    insert into stream values (p_topic, p_stream, v_tenant, 0) on conflict do nothing;
    select ver into strict v_ver from stream where topic = p_topic and stream = p_stream for update;

    -- the same command again: its first result
    select min(off), max(ver), array_agg(event_id order by ver) into o_off, o_ver, o_ids
    from record where topic = p_topic and stream = p_stream and command_id = p_command and ver > 0;
    if o_off is not null then return; end if;

    if v_ver <> p_expected then
      raise exception 'version conflict' using errcode = 'MU409', detail = v_ver::text;
    end if;
    update stream set ver = v_ver + v_n where topic = p_topic and stream = p_stream;
    update head set next_off = next_off + v_n, last_at = greatest(last_at, log.receipt(p_received))
    where topic = p_topic and part = p_part
    returning next_off - v_n, last_at into strict o_off, v_at;
    insert into record
    select p_topic, p_part, o_off + e.n - 1, v_tenant, p_stream, v_ver + e.n, e.type, e.id, p_occurred, v_at,
      p_actor, p_command, p_correlation, p_causation, p_traceparent, null, null, null, e.data::json
    from unnest(p_types, p_ids, p_data) with ordinality as e (type, id, data, n);
    o_ver := v_ver + v_n;
    o_ids := p_ids;
  end $$;`;

/** \`p_hold\`: every partition that the transaction will write, so that two writers lock them in one order. */
const APPEND_FACTS = `
  create function log.append_facts(
    p_topic text, p_hold int[], p_received timestamptz, p_parts int[], p_streams text[],
    p_types text[], p_ids uuid[], p_occurred timestamptz[],
    p_actors text[], p_commands text[], p_correlations text[], p_causations text[], p_traceparents text[],
    p_sources text[], p_epochs bigint[], p_ns bigint[], p_data text[])
  returns void language plpgsql security definer set search_path = log, pg_temp as $$
  begin
    perform 1 from head where topic = p_topic and part = any(p_hold) order by part for update;
    with counted as (
      select part, count(*) as n from unnest(p_parts) as part group by part),
    moved as (
      update head h set next_off = h.next_off + c.n, last_at = greatest(h.last_at, log.receipt(p_received))
      from counted c where h.topic = p_topic and h.part = c.part
      returning h.part, h.next_off - c.n as first_off, h.last_at)
    insert into record
    select p_topic, f.part, m.first_off + row_number() over (partition by f.part order by f.ord) - 1,
      current_setting('muster.tenant'), f.stream, 0, f.type, f.id, f.occurred, m.last_at,
      f.actor, f.command, f.correlation, f.causation, f.traceparent, f.source, f.epoch, f.n, f.data::json
    from unnest(p_parts, p_streams, p_types, p_ids, p_occurred, p_actors, p_commands, p_correlations,
        p_causations, p_traceparents, p_sources, p_epochs, p_ns, p_data) with ordinality
      as f (part, stream, type, id, occurred, actor, command, correlation,
        causation, traceparent, source, epoch, n, data, ord)
    join moved m using (part);
  end $$;`;

const GRANTS = `
  revoke all on function log.receipt, log.append, log.append_facts from public;
  grant execute on function log.append, log.append_facts to muster_campaign;
  grant select on log.topic, log.head, log.record to muster_campaign, muster_tail, muster_projector;
  grant select on log.stream to muster_campaign;`;
