import { type DeclineReason } from '#device-protocol/index.js';
import { type Store, parseJson, writeJson } from './store.js';

/** What the platform says of the moment; unknown is what it does not say, and holds nothing back. */
export interface Conditions {
  batteryPercent?: number;
  isCharging?: boolean;
  isMetered?: boolean;
  freeBytes?: number;
}

export interface GateSettings {
  /** Below this and not charging, nothing is started. */
  minBatteryPercent: number;
  /** A content up to this size may come over a metered network. */
  meteredLimitBytes: number;
  /** Left free beside the content. */
  reserveBytes: number;
}

export const DEFAULT_GATES: GateSettings = {
  minBatteryPercent: 20,
  meteredLimitBytes: 0,
  reserveBytes: 16 * 1024 * 1024,
};

/** The local gate that holds a content back before its first byte, or undefined. `missingBytes` are still to come. */
export function gateAgainst(
  missingBytes: number,
  conditions: Conditions,
  settings: GateSettings,
): Extract<DeclineReason, 'no-space' | 'battery' | 'metered'> | undefined {
  const { batteryPercent, isCharging, isMetered, freeBytes } = conditions;
  if (freeBytes !== undefined && freeBytes < missingBytes + settings.reserveBytes) return 'no-space';
  if (batteryPercent !== undefined && batteryPercent < settings.minBatteryPercent && isCharging !== true)
    return 'battery';
  if (isMetered === true && missingBytes > settings.meteredLimitBytes) return 'metered';
  return undefined;
}

const FILE = 'conditions.json';

/** What the last events said, and the free space of the store's own file system. */
export function readConditions(store: Store): Conditions {
  const told = parseJson(store.read(FILE));
  return { freeBytes: store.freeBytes(), ...(told as Conditions | undefined) };
}

/** Events tell of conditions too: `network` of metering, `charging` of the battery. Others change nothing. */
export function noteConditions(store: Store, on: string, data: Readonly<Record<string, unknown>>): void {
  const noted: Conditions = {};
  if (on === 'network' && typeof data.metered === 'boolean') noted.isMetered = data.metered;
  if (on === 'charging' && typeof data.charging === 'boolean') noted.isCharging = data.charging;
  if (on === 'charging' && typeof data.battery === 'number') noted.batteryPercent = data.battery;
  if (Object.keys(noted).length === 0) return;
  const { freeBytes: _, ...kept } = readConditions(store);
  writeJson(store, FILE, { ...kept, ...noted });
}
