import { type CheckedRuleSet } from '#matching/index.js';
import { isRenewalDue } from './identity.js';
import { type Parts } from './parts.js';
import { type AgentState } from './state.js';

/** How the agent is, for its owner. Holds no attribute value and no key. */
export interface AgentStatus
  extends Pick<AgentState, 'lastPoll' | 'due' | 'failures' | 'contents' | 'declined' | 'held'> {
  tenant: string;
  deviceId: string;
  channel: string;
  server: string;
  isRenewalDue: boolean;
  rules: { version: number; ids: string[] };
  nextTimer: string;
  /** The server is left alone until then. */
  notBefore: string | null;
  factsWaiting: number;
  /** Why the catalogue is refused at present. */
  refusal: string | null;
}

export function statusOf(
  { state, identity, queue, clock, engine }: Parts,
  ruleSet: CheckedRuleSet,
  timerAt: number,
): AgentStatus {
  const { tenant, deviceId, channel, server } = identity;
  const { lastPoll, due, failures, contents, declined, held, notBefore, refusal } = state.now;
  const now = clock.now();
  return {
    ...{ tenant, deviceId, channel, server, lastPoll, due, failures, contents, declined, held },
    isRenewalDue: isRenewalDue(identity, now),
    rules: { version: ruleSet.version, ids: [...ruleSet.rules.map(({ id }) => id), engine.FLOOR_RULE] },
    nextTimer: new Date(timerAt).toISOString(),
    notBefore: notBefore > now ? new Date(notBefore).toISOString() : null,
    factsWaiting: queue.size,
    refusal: refusal ?? null,
  };
}
