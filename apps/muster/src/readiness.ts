import type { Databases, KafkaPart } from '#event-log/nest/event-log.module.js';
import type { ReadinessCheck } from '#runtime/nest/runtime.module.js';

/** What this process cannot do without. A Kafka that is merely away is not among it: commands are taken, and relayed when it is back. */
export const readinessChecks = ({ actor }: Databases, { relay }: KafkaPart): ReadinessCheck[] => [
  { name: 'postgres', check: async () => void (await actor.query('select 1')) },
  {
    name: 'relay',
    check: async () => {
      if (relay?.refusal !== undefined) throw relay.refusal;
    },
  },
];
