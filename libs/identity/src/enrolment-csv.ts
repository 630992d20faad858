import { CsvError, parse } from 'csv-parse/sync';
import type { FieldError } from '#runtime/index.js';
import { IdentityError } from './errors.js';

/** One code to make: what the device will be called, and the audience it joins. */
export interface EnrolmentLine {
  label: string | null;
  channel: string;
}

export const CHANNEL = /^[a-z][a-z0-9-]{0,30}$/;
export const DEFAULT_CHANNEL = 'main';
export const LABEL_LIMIT = 200;
export const CSV_LINES = 5_000;

const COLUMNS = ['label', 'channel'];
/** Errors told in one answer; a file of another kind would have one a line. */
const TOLD = 50;

/**
 * Reads a batch of devices: a header line with `label` and/or `channel`, then one line a device. All or nothing: any
 * fault refuses the whole file and names each line (1 = header) and column, as `/<line>/<column>`.
 * @throws IdentityError `enrolment.csv`
 */
export function readEnrolmentCsv(text: string): EnrolmentLine[] {
  const [header, ...lines] = records(text);
  if (header === undefined) throw refused([{ pointer: '/1', message: 'the file is empty; it needs a header line' }]);
  const columns = header.record.map((name) => name.trim().toLowerCase());
  const faults: FieldError[] = columns
    .filter((name, at) => !COLUMNS.includes(name) || columns.indexOf(name) !== at)
    .map((name) => ({ pointer: `/1/${pointerPart(name)}`, message: `a column is one of ${COLUMNS.join(', ')}, once` }));
  if (faults.length > 0) throw refused(faults);
  if (lines.length === 0) throw refused([{ pointer: '/2', message: 'no line after the header' }]);
  if (lines.length > CSV_LINES) throw refused([{ pointer: '', message: `at most ${CSV_LINES} lines` }]);
  const read = lines.map(({ record, info }) => readLine(columns, record, info.lines, faults));
  if (faults.length > 0) throw refused(faults);
  return read;
}

interface CsvRecord {
  record: string[];
  info: { lines: number };
}

function records(text: string): CsvRecord[] {
  try {
    const options = { bom: true, relax_column_count: true, skip_empty_lines: true, max_record_size: 4_096 };
    const read: unknown = parse(text, { ...options, info: true }); // the types do not know what `info` does
    return read as CsvRecord[];
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = typeof error['lines'] === 'number' ? error['lines'] : 1;
    throw refused([{ pointer: `/${line}`, message: `not CSV (RFC 4180): ${error.code}` }]);
  }
}

function readLine(columns: string[], record: string[], line: number, faults: FieldError[]): EnrolmentLine {
  if (record.length !== columns.length)
    faults.push({ pointer: `/${line}`, message: `${columns.length} columns expected, ${record.length} found` });
  const value = (column: string) => record[columns.indexOf(column)]?.trim() ?? '';
  const label = value('label');
  const channel = value('channel') || DEFAULT_CHANNEL;
  if (!isLabel(label))
    faults.push({ pointer: `/${line}/label`, message: `at most ${LABEL_LIMIT} characters, no control characters` });
  if (!CHANNEL.test(channel))
    faults.push({ pointer: `/${line}/channel`, message: 'a-z, 0-9 and -, a letter first, at most 31' });
  return { label: label === '' ? null : label, channel };
}

export const isLabel = (text: string): boolean => [...text].length <= LABEL_LIMIT && !/\p{Cc}/u.test(text);

const pointerPart = (name: string): string => name.slice(0, 40).replaceAll('~', '~0').replaceAll('/', '~1');

const refused = (faults: FieldError[]): IdentityError =>
  new IdentityError(
    'enrolment.csv',
    { faults: faults.length },
    `the file is refused: ${faults.length} faults`,
    faults.slice(0, TOLD),
  );

/**
 * Writes RFC 4180 lines that a spreadsheet cannot take for formulas: a cell that starts with = + - @ tab, CR or NUL
 * gets an apostrophe before it.
 * @see OWASP ASVS 5.0, 1.2.10
 */
export function writeCsv(header: readonly string[], rows: readonly (readonly (string | null)[])[]): string {
  return [header, ...rows].map((row) => `${row.map((cell) => quoted(cell ?? '')).join(',')}\r\n`).join('');
}

const FORMULA = /^[=+\-@\t\r\0]/;

const quoted = (cell: string): string => `"${(FORMULA.test(cell) ? `'${cell}` : cell).replaceAll('"', '""')}"`;
