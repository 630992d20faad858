import type { Databases, KafkaPart } from '#event-log/nest/event-log.module.js';
import type { ReadinessCheck } from '#runtime/nest/runtime.module.js';
import type { Disks } from './disks.js';

/** A write that found no room is remembered so long: none may come while nobody sends traffic, so that it heals by time. */
const FULL_MS = 10_000;

/**
 * What this process cannot do without. A Kafka that is merely away is not among it: commands are taken, and relayed when it
 * is back.
 */
export const readinessChecks = (databases: Databases, { relay }: KafkaPart, disks: Disks): ReadinessCheck[] => [
  postgresCheck(databases),
  { name: 'storage', check: () => disks.check() },
  {
    name: 'relay',
    check: async () => {
      if (relay?.refusal !== undefined) throw relay.refusal;
    },
  },
];

/** It answers, and takes writes as far as anyone has tried. */
export const postgresCheck = ({ actor, tail, projector, insight }: Databases): ReadinessCheck => ({
  name: 'postgres',
  check: async () => {
    await actor.query('select 1');
    if ([actor, tail, projector, insight].some((each) => each.wasFull(FULL_MS)))
      throw new Error('its disk is full: it answers, and takes no writes');
  },
});
