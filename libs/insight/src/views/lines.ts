/** The order of a timeline, unique in it: when it happened, then where it stands in the log. */
export const LINE_ORDER = 'event_at, topic, part, off, item';

/**
 * Every line of every timeline that the reader may see: over the tables of `device_timeline` in the search path, or in
 * `schema` when named.
 */
export function linesSql(schema?: string): string {
  const at = (part: string) => `${schema === undefined ? '' : `${schema}.`}p_device_timeline_${part}_v1`;
  return `
select tenant, device_id, event_at, received_at, topic, part, off, 0 as item,
  event, text, campaign_id, content_id, code, label
from ${at('line')}
union all
select p.tenant, n.device_id, p.event_at, p.received_at, 'muster.device', p.part, p.off, p.item,
  'PollsRecorded', 'polled by rule ' || p.rule || case p.answer when 'sent' then ': news' else ': nothing new' end,
  null, null, p.answer, null
from ${at('poll')} p
join ${at('number')} n using (tenant, device_no)`;
}
