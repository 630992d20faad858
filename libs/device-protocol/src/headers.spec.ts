import { describe, expect, it } from 'vitest';
import { formatTrigger, parseTrigger } from './headers.js';

describe('Muster-Trigger', () => {
  it.each([
    { rule: 'on-wifi', version: 3 },
    { rule: '4g-again', version: 0 },
    { rule: 'floor', version: 999_999_999 },
  ])('brings back what was written: %j', (trigger) => {
    expect(parseTrigger(formatTrigger(trigger))).toEqual(trigger);
  });

  it.each([
    undefined,
    '',
    'on-wifi',
    'On-Wifi;v=1',
    'on-wifi;v=',
    'on-wifi;v=1;v=2',
    '-;v=1',
    'a b;v=1',
    `${'a'.repeat(65)};v=1`,
  ])('is unknown when it is %j', (header) => {
    expect(parseTrigger(header)).toBeUndefined();
  });
});
