import { describe, expect, it } from 'vitest';
import { codesFrom } from './codes.js';

const line = (code: string) => `npx muster-handset enrol https://127.0.0.1:8443 --ca 3f9a --code ${code}`;

describe('enrolment codes', () => {
  it.each([
    ['lines', `${line('main.a-1')}  # one\n${line('main.b_2')}  # two\n`],
    [
      'JSON',
      [
        { code: 'main.a-1', line: line('main.a-1') },
        { code: 'main.b_2', line: line('main.b_2') },
      ]
        .map((each) => JSON.stringify(each))
        .join('\n'),
    ],
    ['CSV', 'label,channel,code,expiresAt\none,main,main.a-1,2026\ntwo,main,main.b_2,2026\n'],
  ])('are found in %s', (_, text) => expect(codesFrom(text)).toEqual(['main.a-1', 'main.b_2']));

  it.each(['', 'label,channel\none,main\n'])('that are not there are refused with enrol.missing: %j', (text) => {
    expect(() => codesFrom(text)).toThrowError(expect.objectContaining({ code: 'enrol.missing' }) as Error);
  });
});
