import type { components } from 'openapi-schema';
import type { Device } from '../api/wire.js';
import { oneOf, textIn } from '../shell/search.js';

type Schemas = components['schemas'];

/** Characters of a label. */
const LONGEST = 100;

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

export const KINDS = ['handset', 'hawkbit'] as const satisfies readonly Device['kind'][];

export type Facet = Schemas['DeviceFacet'];

/** Which devices, as the address and the server have it. */
export interface DeviceFilter {
  q?: string;
  channel?: string;
  status?: Device['status'];
  kind?: Device['kind'];
}

/** What the server would refuse is let go. */
export function filterIn(search: Record<string, unknown>): DeviceFilter {
  const { q, channel, status, kind } = textIn(search, 'q', 'channel', 'status', 'kind');
  const known: DeviceFilter = {
    q: q?.slice(0, LONGEST),
    channel,
    status: oneOf(STATUSES, status),
    kind: oneOf(KINDS, kind),
  };
  return Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined));
}

export const sumOf = (facets: readonly Facet[]): number => facets.reduce((sum, { devices }) => sum + devices, 0);
