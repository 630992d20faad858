import { type Agent, type AgentOptions as CoreOptions, createAgent as createCore } from './agent.js';
import { celRules } from './cel-rules.js';
import { type Enrolment } from './certify.js';
import { type EnrolOptions, enrolHandset as enrolWith } from './enrolment.js';
import { type DeviceIdentity } from './identity.js';
import { onNode } from './on-node.js';
import { type Store } from './store.js';

/** Rules, catalogue and connection may be left out here: CEL, TUF and HTTPS are what this program speaks. */
export type AgentOptions = Pick<CoreOptions, 'store'> & Partial<CoreOptions>;

/**
 * The agent of one enrolled handset, whole.
 * @throws HandsetError `enrol.missing`
 */
export const createAgent = (options: AgentOptions): Agent => createCore({ rules: celRules(), ...onNode(), ...options });

/** As `enrolHandset` of the core's; its rules are CEL. */
export const enrolHandset = (
  store: Store,
  enrolment: Enrolment,
  options: Partial<EnrolOptions> = {},
): Promise<DeviceIdentity> => enrolWith(store, enrolment, { rules: celRules(), ...options });
