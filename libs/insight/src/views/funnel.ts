/** The steps in order; each counts distinct devices (design §4). */
export const FUNNEL_STEPS = ['polled', 'matched', 'requested', 'transferred', 'installed', 'confirmed'] as const;

/**
 * The funnel of every campaign that the reader may see, one row each: over the tables of `campaign_progress` in the
 * search path, or in `schema` when named. `polled` are the devices whose poll was answered with a snapshot that held
 * the campaign; `dropped` says where devices stand that are not going on, `[{kind, reason, devices}]`.
 */
export function funnelSql(schema?: string): string {
  const at = (part: string) => `${schema === undefined ? '' : `${schema}.`}p_campaign_progress_${part}_v1`;
  return `
with told as ( -- numbers first: one of them may have asked many times
  select distinct d.tenant, d.campaign_id, p.device_no
  from ${at('described')} d join ${at('poll')} p using (tenant, digest)
), seen as (
    select t.tenant, t.campaign_id, coalesce(h.device_id, '#' || t.device_no) as device_id -- '#7': enrolment yet to come
    from told t left join ${at('handset')} h using (tenant, device_no)
  union
    select d.tenant, d.campaign_id, a.device_id
    from ${at('described')} d
    join ${at('snapshot')} s using (tenant, digest)
    join ${at('handset')} h on h.tenant = s.tenant and h.channel = s.channel
    join ${at('availability')} a on a.tenant = h.tenant and a.device_id = h.device_id and a.snapshot_version = s.version
), polled as (
  select tenant, campaign_id, count(*)::int as polled from seen group by tenant, campaign_id
), steps as (
  select tenant, campaign_id,
    count(distinct device_id) filter (where matched_at is not null)::int as matched,
    count(distinct device_id) filter (where requested_at is not null)::int as requested,
    count(distinct device_id) filter (where transferred_at is not null)::int as transferred,
    count(distinct device_id) filter (where installed_at is not null)::int as installed,
    count(distinct device_id) filter (where confirmed_at is not null)::int as confirmed,
    max(changed_at) as changed_at,
    (array_agg(seq order by changed_at desc, seq desc))[1] as seq
  from ${at('device')} group by tenant, campaign_id
), reasons as (
  select tenant, campaign_id, drop_kind, drop_reason, count(distinct device_id)::int as devices
  from ${at('device')} where drop_kind is not null group by tenant, campaign_id, drop_kind, drop_reason
), dropped as (
  select tenant, campaign_id,
    jsonb_agg(jsonb_build_object('kind', drop_kind, 'reason', drop_reason, 'devices', devices)
      order by drop_kind, drop_reason) as dropped
  from reasons group by tenant, campaign_id
)
select c.tenant, c.campaign_id, c.name, c.channel, c.status,
  coalesce(p.polled, 0) as polled, coalesce(s.matched, 0) as matched, coalesce(s.requested, 0) as requested,
  coalesce(s.transferred, 0) as transferred, coalesce(s.installed, 0) as installed,
  coalesce(s.confirmed, 0) as confirmed, coalesce(x.dropped, '[]'::jsonb) as dropped,
  greatest(c.changed_at, s.changed_at) as event_at,
  case when s.changed_at > c.changed_at then s.seq else c.seq end as seq
from ${at('campaign')} c
left join polled p using (tenant, campaign_id)
left join steps s using (tenant, campaign_id)
left join dropped x using (tenant, campaign_id)`;
}
