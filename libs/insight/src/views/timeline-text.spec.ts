import { describe, expect, it } from 'vitest';
import { campaignDefinitions } from '#campaign/events.js';
import type { EventDefinitions } from '#event-log/index.js';
import { deviceDefinitions } from '#handset/events.js';
import { handsetDefinitions } from '#identity/events.js';
import { tell } from './timeline-text.js';

const definitions: readonly EventDefinitions[] = [...campaignDefinitions, deviceDefinitions, handsetDefinitions];
/** Every golden sample of the topics that a device's timeline is made of. */
const samples = definitions
  .filter(({ topic }) => topic === 'muster.device' || topic === 'muster.handset')
  .flatMap(({ events }) =>
    Object.entries(events).flatMap(([type, { samples }]) => samples.map(({ data }) => [type, data] as const)),
  )
  .filter(([type]) => type !== 'PollsRecorded');

describe('a line of the timeline', () => {
  it.each(samples)('tells %s in words', (type, data) => {
    const told = tell(type, data);
    expect(told?.text).toMatch(/^[a-z][^{}]{5,}$/);
    expect(told?.text).not.toMatch(/undefined|null|NaN|\[object/);
    if ('campaignId' in data) expect(told).toMatchObject({ campaignId: data.campaignId });
  });

  it('keeps the label, which is personal, out of the words', () => {
    const [, sample] = samples.find(([type]) => type === 'HandsetEnrolled') ?? [];
    const told = tell('HandsetEnrolled', { ...sample, label: 'zq7' });
    expect(told?.label).toBe('zq7');
    expect(JSON.stringify({ ...told, label: null })).not.toContain('zq7');
  });

  it.each(['constructor', 'toString', 'NoSuchThing'])('does not know %s', (type) =>
    expect(tell(type, {})).toBeUndefined(),
  );
});
