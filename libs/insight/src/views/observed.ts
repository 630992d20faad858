import type { CampaignEvent, CatalogueEvent, DeviceFactByServer } from '#campaign/events.js';
import type { EventRecord } from '#event-log/index.js';
import type { DeviceFactByHandset } from '#handset/events.js';
import type { HandsetEvent } from '#identity/events.js';

/** Every event that the read models here look at. */
export type ObservedEvent = CampaignEvent | CatalogueEvent | DeviceFactByServer | DeviceFactByHandset | HandsetEvent;

/** A record of one of them. Distributes, so that `type` tells which `data` it is. */
export type Observed = ObservedEvent extends infer E ? (E extends ObservedEvent ? EventRecord<E> : never) : never;

/** The log hands out records of any type; a switch over `type` that falls through is how others are left out. */
export const observed = (record: EventRecord): Observed => record as Observed;
