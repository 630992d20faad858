import { describe, expect, it } from 'vitest';
import { readAutoConfirm, readConfigData, readConfirmation, readFeedback } from './read-body.js';

const refusedAt = (pointer: string, code = 'ddi.malformed') =>
  expect.objectContaining({ code, fields: [expect.objectContaining({ pointer })] }) as Error;

describe('a report', () => {
  it('is read without what nobody knows, one message as a list of one, long messages cut', () => {
    const status = {
      execution: 'PROCEEDING',
      result: { finished: 'NONE' },
      details: 'x'.repeat(600),
      code: 3,
      more: 1,
    };
    expect(readFeedback({ id: 7, time: 'whenever', status })).toEqual({
      ...{ execution: 'proceeding', finished: 'none', code: 3 },
      details: ['x'.repeat(512)],
    });
    const without = { execution: 'closed', result: { finished: 'success', progress: null }, details: null, code: null };
    expect(readFeedback({ status: without })).toEqual({ execution: 'closed', finished: 'success', details: [] });
  });

  it.each<[unknown, string]>([
    [undefined, ''],
    ['text', ''],
    [[], ''],
    [{}, '/status'],
    [{ status: [] }, '/status'],
    [{ status: { execution: 'closed' } }, '/status/result'],
    [{ status: { execution: 7, result: { finished: 'none' } } }, '/status/execution'],
    [{ status: { execution: 'closed', result: {} } }, '/status/result/finished'],
    [
      { status: { execution: 'closed', result: { finished: 'none', progress: { cnt: '2' } } } },
      '/status/result/progress/cnt',
    ],
    [{ status: { execution: 'closed', result: { finished: 'none' }, code: 2 ** 40 } }, '/status/code'],
    [{ status: { execution: 'closed', result: { finished: 'none' }, details: ['a', {}] } }, '/status/details/1'],
  ])('that is %j is refused at %s', (body, pointer) => {
    expect(() => readFeedback(body)).toThrow(refusedAt(pointer));
  });
});

describe('what a device tells', () => {
  it('is merged unless it says otherwise', () => {
    expect(readConfigData({ data: { a: '1', b: null } })).toEqual({ mode: 'merge', data: { a: '1', b: null } });
    expect(readConfigData({ mode: 'replace', data: {}, id: '', time: '' })).toEqual({ mode: 'replace', data: {} });
  });

  it.each<[unknown, string, string]>([
    [{}, '/data', 'ddi.malformed'],
    [{ mode: 'add', data: {} }, '/mode', 'ddi.malformed'],
    [{ data: { 'a/b': 7 } }, '/data/a~1b', 'ddi.attribute'],
    [{ data: { a: 'é' } }, '/data/a', 'ddi.attribute'],
    [{ data: { a: 'x'.repeat(129) } }, '/data/a', 'ddi.attribute'],
  ])('as %j is refused at %s', (body, pointer, code) => {
    expect(() => readConfigData(body)).toThrow(refusedAt(pointer, code));
  });
});

describe('the word of a user', () => {
  it('is yes or no', () => {
    const body = { confirmation: 'Denied', code: -1, details: ['not now'] };
    expect(readConfirmation(body)).toEqual({ confirmation: 'denied', details: ['not now'] });
    expect(() => readConfirmation({ confirmation: 'maybe' })).toThrow(refusedAt('/confirmation'));
    expect(() => readConfirmation({ confirmation: 'denied', code: 'x' })).toThrow(refusedAt('/code'));
  });

  it('for all that comes may say nothing about who and why', () => {
    expect(readAutoConfirm(undefined)).toEqual({});
    expect(readAutoConfirm({ initiator: 'owner', remark: null })).toEqual({ initiator: 'owner' });
    expect(() => readAutoConfirm({ remark: 7 })).toThrow(refusedAt('/remark'));
    expect(() => readAutoConfirm([])).toThrow(refusedAt(''));
  });
});
