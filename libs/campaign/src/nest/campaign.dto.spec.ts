import 'reflect-metadata';
import { plainToInstance } from 'class-transformer';
import { validate } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { CampaignDto, ScheduleDto } from './campaign.dto.js';
import { ContentRequestsDto, DeviceFactDto, FactBatchDto } from './device.dto.js';

const schedule = (start: unknown) => plainToInstance(ScheduleDto, { start });

describe('an instant', () => {
  it.each([
    ['2030-01-01T00:00:00Z', '2030-01-01T00:00:00.000Z'],
    ['2030-01-01T01:30+02:00', '2029-12-31T23:30:00.000Z'],
    ['2032-02-29T12:00:00.123456Z', '2032-02-29T12:00:00.123Z'],
  ])('%s is kept as %s', async (given, kept) => {
    expect(schedule(given).start).toBe(kept);
    expect(await validate(schedule(given))).toEqual([]);
  });

  it.each(['2030-02-30T00:00:00Z', '2030-02-29T00:00:00Z', '2030-01-01T24:00:00Z', '2030-01-01', 'tomorrow', 5, {}])(
    '%j is none',
    async (given) => {
      const [fault] = await validate(schedule(given));
      expect(fault?.property).toBe('start');
    },
  );
});

describe('a list', () => {
  it.each([
    [ContentRequestsDto, 'requests'],
    [FactBatchDto, 'facts'],
    [CampaignDto, 'windows'],
  ])('of lists is no list of objects: %o', async (dto, property) => {
    const faults = await validate(plainToInstance(dto as new () => object, { [property]: [[]] }));
    expect(faults.find((fault) => fault.property === property)?.constraints).toHaveProperty('isObject');
  });
});

describe('a fact', () => {
  it.each(['2026-02-30T00:00:00Z', '2026-02-28T00:00:00+01:00', 'now'])('did not occur at %s', async (occurredAt) => {
    const faults = await validate(plainToInstance(DeviceFactDto, { occurredAt }));
    expect(faults.map(({ property }) => property)).toContain('occurredAt');
  });
});
