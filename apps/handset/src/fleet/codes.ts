import { parse } from 'csv-parse/sync';
import { HandsetError } from '#handset/index.js';

/** In an enrol line, and in JSON. */
const CODE = /--code ([\w.-]+)|"code": ?"([\w.-]+)"/g;

/**
 * Enrolment codes from what `muster device codes` prints, lines or JSON, or from the CSV that the API answers.
 * @throws HandsetError `enrol.missing` when there are none
 */
export function codesFrom(text: string): string[] {
  const told = [...text.matchAll(CODE)].flatMap(([, inLine, inJson]) => inLine ?? inJson ?? []);
  const codes = told.length > 0 ? [...new Set(told)] : fromCsv(text);
  if (codes.length === 0) throw new HandsetError('enrol.missing', {}, 'there are no enrolment codes in it');
  return codes;
}

function fromCsv(text: string): string[] {
  const options = { columns: true as const, skip_empty_lines: true, relax_column_count: true, bom: true };
  return parse<{ code?: string }>(text, options).flatMap(({ code = '' }) => (code === '' ? [] : [code]));
}
