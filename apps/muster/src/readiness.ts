import type { Databases } from '#event-log/nest/event-log.module.js';
import type { ReadinessCheck } from '#runtime/nest/runtime.module.js';

/** What this process cannot do without. */
export const readinessChecks = ({ actor }: Databases): ReadinessCheck[] => [
  { name: 'postgres', check: async () => void (await actor.query('select 1')) },
];
