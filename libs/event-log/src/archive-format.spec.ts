import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { COLUMNS, headerOf, lineOf, packLines, recordsIn, sha256Of, unpackLines } from './archive-format.js';
import { type RawRecord, STORED_COLUMNS } from './envelope.js';

const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 30 });
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: null });
const time = fc.date({
  min: new Date('0001-01-01T00:00:00Z'),
  max: new Date('9999-12-31T23:59:59.999Z'),
  noInvalidDate: true,
});
const record: fc.Arbitrary<RawRecord> = fc
  .record({
    part: fc.nat(11),
    off: fc.maxSafeNat(),
    tenant: fc.constantFrom('acme', 'umbrella'),
    stream: text,
    ver: fc.nat(),
    type: text,
    event_id: fc.uuid(),
    occurred_at: time,
    received_at: time,
    actor: text,
    command_id: text,
    correlation_id: text,
    causation_id: maybe(text),
    traceparent: maybe(text),
    seq_source: maybe(text),
    seq_epoch: maybe(fc.maxSafeNat()),
    seq_n: maybe(fc.maxSafeNat()),
    raw: fc
      .tuple(fc.dictionary(text, fc.jsonValue({ stringUnit: 'binary' })), fc.constantFrom(undefined, 1, '\t'))
      .map(([data, space]) => JSON.stringify(data, null, space)), // white space is kept too
  })
  .map((row) => ({ ...row, data: JSON.parse(row.raw) as object }));

describe('an archive file', () => {
  it('gives back every column and the very text of the data, and of a tenant its own records alone', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(record, { maxLength: 20 }), async (records) => {
        const { bytes, sha256 } = await packLines(records.map(lineOf));
        expect(sha256).toBe(sha256Of(bytes));
        const lines = await unpackLines(bytes);
        expect(recordsIn(lines)).toEqual(records);
        expect(recordsIn(lines, { tenant: 'acme' })).toEqual(records.filter(({ tenant }) => tenant === 'acme'));
      }),
    );
  });

  it("is parsed no further than a tenant's records go, and none of another's", async () => {
    const line = (off: number, tenant: string) =>
      `[3,${off},"${tenant}","${tenant}/x",0,"t","i","2026-01-01T00:00:00Z","2026-01-01T00:00:00Z","a","c","c",null,null,null,null,null,"{}"]`;
    const lines = [
      '[3,0,"umbrella","acme",no JSON',
      '[3,1,"acme-two","acme/y",no JSON',
      line(2, 'acme'),
      '[3,3,"umbrella","\\"acme\\",no JSON',
      line(4, 'acme'),
      '[3,5,"acme",no JSON',
    ];
    expect(recordsIn(lines, { tenant: 'acme', limit: 2 }).map(({ off }) => off)).toEqual([2, 4]);
    expect(() => recordsIn(lines, { tenant: 'acme', limit: 3 })).toThrow(SyntaxError);
  });

  it('has the columns of the table, in its order', () => {
    expect(STORED_COLUMNS.split(/,\s*/)).toEqual(COLUMNS);
  });

  it('is, whatever the members, one stream of gzip with a JSON text a line, so that any zcat reads it', async () => {
    const header = await packLines([headerOf({ topic: 'muster.device', partition: 3, first: 7 })]);
    const block = await packLines(['["a"]', '["b\\n"]']);
    expect(gunzipSync(Buffer.concat([header.bytes, block.bytes])).toString('utf8')).toBe(
      `{"format":"muster.archive","version":1,"topic":"muster.device","partition":3,"first":7,"columns":${JSON.stringify(COLUMNS)}}\n["a"]\n["b\\n"]\n`,
    );
  });

  it('is not unpacked beyond what a block can hold', async () => {
    const { bytes } = await packLines(['x'.repeat(9 * 1_048_576)]);
    await expect(unpackLines(bytes)).rejects.toMatchObject({ code: 'ERR_BUFFER_TOO_LARGE' });
  });
});
