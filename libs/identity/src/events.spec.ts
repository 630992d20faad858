import { describe, expect, it } from 'vitest';
import { eventCatalog } from '#event-log/index.js';
import { auditDefinitions, handsetDefinitions } from './events.js';

describe("identity's events", () => {
  const catalog = eventCatalog([handsetDefinitions, auditDefinitions]);
  const samples = [handsetDefinitions, auditDefinitions].flatMap(({ topic, events }) =>
    Object.entries(events).flatMap(([type, { samples }]) => samples.map(({ v, data }) => ({ topic, type, v, data }))),
  );

  it.each(samples)('read $type version $v as the current schema asks', ({ topic, type, data }) => {
    expect(catalog.check(topic, { type, data }).wire).toMatch(/\.v1$/);
  });
  it('seal the label of an enrolment and nothing else', () => {
    const personal = samples.filter(({ topic, type, data }) => catalog.check(topic, { type, data }).isPersonal);
    expect(personal.map(({ type }) => type)).toEqual(['HandsetEnrolled']);
  });
  it('refuse a field that the schema does not name', () => {
    const data = { deviceId: 'x', reason: 'y', imei: '1' };
    expect(() => catalog.check('muster.handset', { type: 'SubjectForgotten', data })).toThrow(
      expect.objectContaining({ code: 'log.schema-violation' }),
    );
  });
});
