import type { Device } from '../api/wire.js';
import { oneOf, textIn } from '../shell/search.js';

export const TABS = ['timeline', 'why', 'data'] as const;
export type Tab = (typeof TABS)[number];

/** A device's page as the address has it. */
export interface DeviceSearch {
  tab?: Tab;
  campaign?: string;
}

export function deviceSearch(search: Record<string, unknown>): DeviceSearch {
  const { tab, campaign } = textIn(search, 'tab', 'campaign');
  const known = oneOf(TABS, tab);
  return { ...(known === undefined ? {} : { tab: known }), ...(campaign === undefined ? {} : { campaign }) };
}

export const STATUSES = ['active', 'revoked', 'forgotten'] as const satisfies readonly Device['status'][];

/** What the search asks for, among what there is. */
export function matches(
  { id, label, channel, status, deviceNo }: Device,
  q: string,
  wanted: string | undefined,
): boolean {
  if (wanted !== undefined && status !== wanted) return false;
  const text = `${label ?? ''} ${id} ${channel} #${deviceNo}`.toLowerCase();
  return q
    .toLowerCase()
    .split(/\s+/)
    .filter(Boolean)
    .every((word) => text.includes(word));
}
