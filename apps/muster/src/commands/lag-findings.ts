import { type Check, type Finding, finding, orUnknown } from './finding.js';

interface Lag {
  name: string;
  lagEvents: number;
  lagSeconds: number;
  parked: number;
}

/** A read model that is a minute behind, or has put streams aside, tells people something old. */
export const lag: Check = orUnknown('lag', async ({ api }) => {
  const { items } = await api.get<{ items: Lag[] }>('/v1/projections');
  return items.map(({ name, lagEvents, lagSeconds, parked }) =>
    finding(`lag: ${name}`, lagSeconds < 60 && parked === 0, `${lagEvents} events, ${lagSeconds} s, ${parked} parked`),
  );
});

/** What only the server's counters tell. */
export const counters: Check = orUnknown('metrics', async ({ api }) => {
  const response = await api.probe('/metrics');
  const type = response.headers.get('content-type') ?? '';
  if (!response.ok || !type.startsWith('text/plain')) throw new Error(`answered ${response.status} ${type}`);
  const metrics = await response.text();
  return [...relayFinding(metrics), ...diskFindings(metrics)];
});

const valuesOf = (metrics: string, name: string): { label: string; value: number }[] =>
  [...metrics.matchAll(new RegExp(`^${name}\\{[^}]*?="([^"]*)"[^}]*\\} (\\S+)$`, 'gm'))].map(
    ([, label = '', value]) => ({ label, value: Number(value) }),
  );

/**
 * Read models, and who follows the log in Kafka, see what the relay has sent; a minute behind is a broker that is away.
 * @param metrics  in Prometheus' text format; without a relay, where the log is Postgres alone, nothing is found
 */
export function relayFinding(metrics: string): Finding[] {
  const events = valuesOf(metrics, 'muster_relay_lag_events');
  if (events.length === 0) return [];
  const seconds = Math.round(Math.max(...valuesOf(metrics, 'muster_relay_lag_seconds').map(({ value }) => value)));
  const count = events.reduce((sum, { value }) => sum + value, 0);
  return [finding('relay', seconds < 60, `${count} events that Kafka does not have, the oldest of ${seconds} s`)];
}

/** How many times the least room counts as enough for the time that a person needs. */
const ENOUGH = 4;
const MIB = 1_048_576;

/** Of the server's disks, which may be on another machine than this. */
export function diskFindings(metrics: string): Finding[] {
  const low = new Map(valuesOf(metrics, 'muster_disk_low_bytes').map(({ label, value }) => [label, value]));
  return valuesOf(metrics, 'muster_disk_free_bytes').map(({ label, value }) => {
    const least = low.get(label) ?? 0;
    const state = value < least ? 'bad' : value < ENOUGH * least ? 'due' : 'ok';
    const detail = `${Math.floor(value / MIB)} MiB left; not ready below ${Math.floor(least / MIB)}`;
    return { check: `disk: ${label}`, state, detail };
  });
}
