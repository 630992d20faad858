import { describe, expect, it } from 'vitest';
import { defineEvents, eventCatalog, wireType } from './catalog.js';
import type { EventShape } from './event-log.js';

const text = { type: 'string' };
const object = (properties: Record<string, object>) => ({
  type: 'object',
  required: Object.keys(properties),
  properties,
});
const definitions = defineEvents('muster.campaign', {
  CampaignNoted: {
    version: 3,
    schema: object({ note: text, author: text, lines: { type: 'integer' } }),
    upcast: {
      1: ({ text, ...rest }) => ({ ...rest, note: text, author: 'unknown' }),
      2: (data) => ({ ...data, lines: String(data.note).split('\n').length }),
    },
    samples: [],
  },
});
const catalog = eventCatalog([definitions]);

const refusal = (event: EventShape): unknown => {
  try {
    catalog.check('muster.campaign', event);
  } catch (error) {
    return error;
  }
  return undefined;
};

describe('event catalogue', () => {
  it('names a type by topic, event in kebab case and version', () => {
    expect(wireType('muster.campaign', 'CampaignStarted')).toBe('muster.campaign.campaign-started.v1');
  });

  it('brings every stored version to the current one, step by step', () => {
    const current = { note: 'a\nb', author: 'unknown', lines: 2 };
    expect(catalog.read('muster.campaign.campaign-noted.v1', { text: 'a\nb' })).toEqual({
      type: 'CampaignNoted',
      schemaVersion: 3,
      data: current,
    });
    expect(catalog.read('muster.campaign.campaign-noted.v3', current).data).toEqual(current);
  });

  it('passes a type of a newer program by under its wire name', () => {
    expect(catalog.read('muster.campaign.campaign-sung.v4', { x: 1 })).toEqual({
      type: 'muster.campaign.campaign-sung.v4',
      schemaVersion: 4,
      data: { x: 1 },
    });
  });

  it.each([0, 4, 9_999])('refuses version %i of a known type with log.unknown-version', (version) => {
    const wire = `muster.campaign.campaign-noted.v${version}`;
    const details = { type: wire, newest: 3 };
    expect(() => catalog.read(wire, {})).toThrow(
      expect.objectContaining({ code: 'log.unknown-version', details }) as Error,
    );
  });

  it('refuses data against its schema with log.schema-violation and the pointer', () => {
    expect(refusal({ type: 'CampaignNoted', data: { note: 'n', author: 'a', lines: 'many' } })).toMatchObject({
      code: 'log.schema-violation',
      fields: [{ pointer: '/lines' }],
    });
  });

  it('refuses a field that would read as sealed with log.schema-violation', () => {
    const data = { note: 'n', author: 'a', lines: 1, more: [{ $sealed: 'x' }] };
    expect(refusal({ type: 'CampaignNoted', data })).toMatchObject({ code: 'log.schema-violation' });
  });

  it('refuses an event nobody defined with log.unknown-type', () => {
    expect(refusal({ type: 'CampaignPainted', data: {} })).toMatchObject({ code: 'log.unknown-type' });
  });

  it('refuses at the start a personal mark that sealing would miss', () => {
    const schema = { anyOf: [object({ imei: { type: 'string', 'x-personal': true } })] };
    const hidden = defineEvents('muster.device', { Hidden: { version: 1, schema, samples: [] } });
    expect(() => eventCatalog([hidden])).toThrow('x-personal below anyOf');
  });
});
