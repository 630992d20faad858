import { createHash } from 'node:crypto';
import type { InboxItem } from '#device-protocol/index.js';

export type ProcessItem = Extract<InboxItem, { kind: 'process' }>;

/**
 * The next application that a content is processed by: the first when the transfer is complete, each other when the one
 * before has acknowledged. The item's id follows from what it is for, so that a fact read twice orders once.
 * @param done how many of the applications have acknowledged
 */
export function nextProcessing(
  order: { tenant: string; deviceId: string; contentId: string; campaignId: string },
  applications: readonly string[],
  done: number,
): ProcessItem | undefined {
  const application = applications[done];
  if (application === undefined) return undefined;
  const { contentId, campaignId } = order;
  return { id: itemId('process', order, done), kind: 'process', contentId, campaignId, application, order: done };
}

/** 128 bits of a hash, in the form of a UUIDv8 (RFC 9562 §5.8), which is for such private layouts. */
export function itemId(
  kind: InboxItem['kind'],
  { tenant, deviceId, contentId, campaignId }: Record<'tenant' | 'deviceId' | 'contentId' | 'campaignId', string>,
  order = 0,
): string {
  const text = [kind, tenant, deviceId, contentId, campaignId, order].join('\n');
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
