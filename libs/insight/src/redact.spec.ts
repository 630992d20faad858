import { describe, expect, it } from 'vitest';
import { defineEvents } from '#event-log/index.js';
import { withoutPersonal } from './redact.js';
import { enrolled, TestLog } from './testing.js';

const text = { type: 'string' };
const personal = { type: 'string', 'x-personal': true };
const definitions = [
  defineEvents('muster.handset', {}),
  defineEvents('muster.handset', {
    HandsetEnrolled: {
      version: 1,
      schema: {
        type: 'object',
        properties: {
          label: personal,
          cards: { type: 'array', items: { type: 'object', properties: { iccid: personal, slot: text } } },
          attributes: { type: 'object', additionalProperties: personal },
        },
      },
      samples: [],
    },
  }),
];
const record = (data: object, type = 'HandsetEnrolled') => ({
  ...new TestLog().add('muster.handset', 'd', enrolled('d', 1)),
  type,
  data,
});

describe('data without what is personal', () => {
  it('has null where the schema marks a field, at any depth', () => {
    const data = { label: 'Ann', no: 1, cards: [{ iccid: '8944', slot: 'a' }], attributes: { imei: '35' } };
    expect(withoutPersonal(record(data), definitions)).toEqual({
      ...{ label: null, no: 1, cards: [{ iccid: null, slot: 'a' }], attributes: { imei: null } },
    });
  });

  it.each(['muster.handset.something-new.v1', 'constructor', 'toString'])(
    'is empty for a type without a schema: %s',
    (type) => expect(withoutPersonal(record({ label: 'Ann' }, type), definitions)).toEqual({}),
  );
});
