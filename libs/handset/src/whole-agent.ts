import { type Agent, type AgentOptions as CoreOptions, createAgent as createCore } from './agent.js';
import { silentLog } from '#runtime/index.js';
import { celRules } from './cel-rules.js';
import { type Enrolment } from './certify.js';
import { type EnrolOptions, enrolHandset as enrolWith } from './enrolment.js';
import { type DeviceIdentity } from './identity.js';
import { onNode } from './on-node.js';
import { serverSide } from './server-side.js';
import { type Store } from './store.js';

/** Where selectors are compared: here, at the server, which is then told what the device is, or both. */
export type ExchangeSide = 'device' | 'server' | 'both';

/** Rules, catalogue and connection may be left out here: CEL, TUF and HTTPS are what this program speaks. */
export interface AgentOptions extends Pick<CoreOptions, 'store'>, Partial<Omit<CoreOptions, 'store'>> {
  /** `device` if absent: attributes leave a handset only when its owner says so. */
  exchange?: ExchangeSide;
}

/**
 * The agent of one enrolled handset, whole.
 * @throws HandsetError `enrol.missing`
 */
export function createAgent({ exchange = 'device', ...given }: AgentOptions): Agent {
  const options = { rules: celRules(), ...onNode(), ...given };
  if (exchange === 'device') return createCore(options);
  const { hooks = {}, zone = Intl.DateTimeFormat().resolvedOptions().timeZone, log = silentLog } = options;
  return createCore({
    ...options,
    ...serverSide({ ...options, hooks, zone, log, alsoOnDevice: exchange === 'both' }),
  });
}

/** As `enrolHandset` of the core's; its rules are CEL. */
export const enrolHandset = (
  store: Store,
  enrolment: Enrolment,
  options: Partial<EnrolOptions> = {},
): Promise<DeviceIdentity> => enrolWith(store, enrolment, { rules: celRules(), ...options });
