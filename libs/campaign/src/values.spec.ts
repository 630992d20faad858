import { describe, expect, it } from 'vitest';
import type { AttributeSchema } from '#matching/index.js';
import { checkKept, comparedBy, knownBy, valuesOf } from './values.js';

const at = '2026-11-30T09:00:00.000Z';
const before = '2026-11-01T09:00:00.000Z';
const schema: AttributeSchema = {
  version: 2,
  attributes: { model: { type: 'string' }, free: { type: 'int' }, tariff: { type: 'string', prefers: 'kept' } },
};
const told = { attributes: { model: 'm1', tariff: 'silver' }, at };
const kept = {
  model: { value: 'm0', at: before },
  free: { value: 7, at: before },
  tariff: { value: 'gold', at: before },
};

describe('the values that a device is compared by', () => {
  it('are none where the schema of today does not have what it told', () => {
    expect(knownBy({ version: 1, attributes: {} }, told, {})).toBeNull();
    expect(knownBy(schema, told, {})).toEqual({ model: 'm1', tariff: 'silver' });
  });

  it('are what it tells of itself, and where it tells nothing what is kept of it', () =>
    expect(valuesOf(told, kept)).toEqual({
      model: { value: 'm1', source: 'device', at },
      free: { value: 7, source: 'kept', at: before },
      tariff: { value: 'silver', source: 'device', at },
    }));

  it('are what is kept where the schema prefers that, whatever the device tells', () => {
    expect(valuesOf(told, kept, schema).tariff).toEqual({ value: 'gold', source: 'kept', at: before });
    expect(valuesOf(told, {}, schema).tariff).toEqual({ value: 'silver', source: 'device', at });
  });

  it('are nothing of a device that tells nothing and of which nothing is kept', () =>
    expect(valuesOf(null, {}, schema)).toEqual({}));

  it('have the types of the schema', () =>
    expect(comparedBy(schema, told, kept)).toEqual({ model: 'm1', free: 7n, tariff: 'gold' }));

  it('are refused by name where the device tells what is none, also when what is kept would count', () => {
    const wrong = { attributes: { tariff: 7 }, at };
    expect(() => comparedBy(schema, wrong, kept)).toThrow(expect.objectContaining({ code: 'attributes.malformed' }));
  });
});

describe('what is to be kept of a device', () => {
  it.each([
    ['a value of another type', { free: 'much' }, 'attributes.malformed', '/attributes/free'],
    ['a name that no schema has had', { colour: 'red' }, 'attributes.malformed', '/attributes/colour'],
    ['the removal of such a name', { colour: null }, 'attributes.malformed', '/attributes/colour'],
    ['a name that every object has', { constructor: null }, 'attributes.malformed', '/attributes/constructor'],
  ])('is refused for %s', (_, changes, code, pointer) => {
    const fields = [expect.objectContaining({ pointer }) as object];
    expect(() => checkKept(schema, changes)).toThrow(expect.objectContaining({ code, fields }));
  });

  it('may be removed by null', () => expect(() => checkKept(schema, { free: null, model: 'm2' })).not.toThrow());
});
