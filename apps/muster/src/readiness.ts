import { statfs } from 'node:fs/promises';
import type { Databases, KafkaPart } from '#event-log/nest/event-log.module.js';
import type { ReadinessCheck } from '#runtime/nest/runtime.module.js';

/** An upload is refused when it no longer fits; before that others should get the traffic. */
const LOW_BYTES = 16 * 1_048_576;
/** A write that found no room is remembered so long: none may come while nobody sends traffic, so that it heals by time. */
const FULL_MS = 10_000;

/**
 * What this process cannot do without. A Kafka that is merely away is not among it: commands are taken, and relayed when it
 * is back.
 * @param folder  of uploads and contents
 */
export const readinessChecks = (databases: Databases, { relay }: KafkaPart, folder: string): ReadinessCheck[] => [
  {
    name: 'postgres',
    check: async () => {
      await databases.actor.query('select 1');
      const { actor, tail, projector, insight } = databases;
      if ([actor, tail, projector, insight].some((each) => each.wasFull(FULL_MS)))
        throw new Error('its disk is full: it answers, and takes no writes');
    },
  },
  {
    name: 'storage',
    check: async () => {
      const { bavail, bsize } = await statfs(folder);
      if (bavail * bsize < LOW_BYTES)
        throw new Error(`${Math.floor((bavail * bsize) / 1_048_576)} MiB left for contents`);
    },
  },
  {
    name: 'relay',
    check: async () => {
      if (relay?.refusal !== undefined) throw relay.refusal;
    },
  },
];
