import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readEnrolmentCsv, writeCsv } from './enrolment-csv.js';

const refusal = (text: string) => {
  try {
    readEnrolmentCsv(text);
  } catch (error) {
    return error as { code: string; fields: { pointer: string }[] };
  }
  throw new Error('was not refused');
};
const pointers = (text: string) => refusal(text).fields.map(({ pointer }) => pointer);

describe('a batch of enrolments', () => {
  it('reads labels and channels, `main` where none is given', () => {
    expect(readEnrolmentCsv('label,channel\r\n"Depot, north",beta\r\nvan 7,\r\n')).toEqual([
      { label: 'Depot, north', channel: 'beta' },
      { label: 'van 7', channel: 'main' },
    ]);
  });
  it('needs only one of its columns, in any order, after a byte order mark', () => {
    expect(readEnrolmentCsv('\ufeffchannel\nbeta\n')).toEqual([{ label: null, channel: 'beta' }]);
    expect(readEnrolmentCsv('channel,label\nbeta,x\n')).toEqual([{ label: 'x', channel: 'beta' }]);
  });
  it('names line and column of every fault, and takes nothing', () => {
    expect(pointers('label,channel\nok,main\nbad\u0007,main\nok,Not A Channel\n')).toEqual(['/3/label', '/4/channel']);
    expect(refusal('label,channel\nok,!\n').code).toBe('enrolment.csv');
  });
  it.each([
    ['an unknown column', 'label,imei\nx,1\n', '/1/imei'],
    ['a column given twice', 'label,label\nx,y\n', '/1/label'],
    ['a missing cell', 'label,channel\nx\n', '/2'],
    ['an open quote', 'label\n"x\n', '/2'],
    ['no line', 'label\n', '/2'],
    ['an empty file', '', '/1'],
    ['too many lines', `label\n${'x\n'.repeat(5_001)}`, ''],
    ['a prototype name as column', '__proto__\nx\n', '/1/__proto__'],
  ])('refuses %s', (_, text, pointer) => expect(pointers(text)).toContain(pointer));
});

describe('an export', () => {
  it.each(['=1+1', '+1', '-1', '@x', '\tx', '\rx', '\0x'])('makes %j plain text for a spreadsheet', (cell) => {
    expect(writeCsv(['label'], [[cell]])).toBe(`"label"\r\n"'${cell}"\r\n`);
  });
  it('is read back by another reader, whatever the cells hold', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), fc.string()), { minLength: 1 }), (rows) => {
        const read: string[][] = parse(writeCsv(['a', 'b'], rows));
        const plain = (cell: string) => (/^[=+\-@\t\r\0]/.test(cell) ? `'${cell}` : cell);
        expect(read.slice(1)).toEqual(rows.map((row) => row.map(plain)));
      }),
    );
  });
});
