import { describe, expect, it } from 'vitest';
import { eventCatalog } from '#event-log/index.js';
import { goldenSamples } from '#event-log/testing.js';
import { auditDefinitions, handsetDefinitions } from './events.js';

describe("identity's events", () => {
  const definitions = [handsetDefinitions, auditDefinitions];
  const catalog = eventCatalog(definitions);

  goldenSamples(definitions);

  it('seal the label of an enrolment, what is kept of a handset, and nothing else', () => {
    const personal = definitions.flatMap(({ topic, events }) =>
      Object.entries(events)
        .filter(([type, { samples }]) => samples.some(({ data }) => catalog.check(topic, { type, data }).isPersonal))
        .map(([type]) => type),
    );
    expect(personal).toEqual(['HandsetEnrolled', 'AttributesKept']);
  });
  it('refuse a field that the schema does not name', () => {
    const data = { deviceId: '018f8c2e-7b1a-7c3d-8e4f-0123456789ab', reason: 'y', imei: '1' };
    expect(() => catalog.check('muster.handset', { type: 'SubjectForgotten', data })).toThrow(
      expect.objectContaining({ code: 'log.schema-violation' }),
    );
  });
});
