import { type FieldError } from '#runtime/index.js';
import { CampaignError, refusal } from '../errors.js';

/*
 * What hawkBit clients send. Fields that are not known are ignored, and one value stands for a list of one, as hawkBit reads them; what
 * must be there and is not, or is of another kind, is refused by name.
 */

export const EXECUTIONS = [
  'closed',
  'proceeding',
  'canceled',
  'scheduled',
  'rejected',
  'resumed',
  'download',
  'downloaded',
] as const;
const FINISHED = ['success', 'failure', 'none'] as const;

/** hawkBit's own limits, whose clients keep to them. */
export const DDI_LIMITS = {
  messages: 50,
  messageLength: 512,
  /** Reports on one action. */
  rows: 1_000,
  attributes: 100,
  attributeLength: 128,
  textLength: 512,
  body: 65_536,
} as const;

export interface Feedback {
  execution: (typeof EXECUTIONS)[number];
  finished: (typeof FINISHED)[number];
  details: string[];
  code?: number;
}

export interface ConfigData {
  mode: 'merge' | 'replace' | 'remove';
  /** null, in a merge, takes it out. */
  data: Record<string, string | null>;
}

export interface Confirmation {
  confirmation: 'confirmed' | 'denied';
  details: string[];
}

export interface AutoConfirm {
  initiator?: string;
  remark?: string;
}

type Fields = Record<string, unknown>;

/** @throws CampaignError `ddi.malformed` naming the field, `ddi.too-many` */
export function readFeedback(body: unknown): Feedback {
  const status = member(asObject(body, ''), 'status', '/status');
  const result = member(status, 'result', '/status/result');
  const { progress, code } = { progress: result.progress, code: status.code };
  if (progress !== undefined && progress !== null) readProgress(progress);
  return {
    execution: oneOf(EXECUTIONS, status.execution, '/status/execution'),
    finished: oneOf(FINISHED, result.finished, '/status/result/finished'),
    details: readDetails(status.details, '/status/details'),
    ...(code === undefined || code === null ? {} : { code: integer(code, '/status/code') }),
  };
}

function readProgress(value: unknown): void {
  const { cnt, of } = asObject(value, '/status/result/progress');
  if (cnt !== undefined && cnt !== null) integer(cnt, '/status/result/progress/cnt');
  if (of !== undefined && of !== null) integer(of, '/status/result/progress/of');
}

/** @throws CampaignError `ddi.malformed`, `ddi.attribute` naming the attribute */
export function readConfigData(body: unknown): ConfigData {
  const { mode, data } = asObject(body, '');
  const values = asObject(data, '/data');
  const faults: FieldError[] = Object.entries(values).flatMap(([name, value]) =>
    isAttributeText(name) && (value === null || isAttributeText(value))
      ? []
      : [{ pointer: `/data/${name.slice(0, 128).replaceAll('~', '~0').replaceAll('/', '~1')}`, message: ATTRIBUTE }],
  );
  if (faults.length > 0) throw new CampaignError('ddi.attribute', {}, 'an attribute that is none', faults);
  return {
    mode: mode === undefined || mode === null ? 'merge' : oneOf(['merge', 'replace', 'remove'] as const, mode, '/mode'),
    data: values as ConfigData['data'],
  };
}

const ATTRIBUTE = `text of at most ${DDI_LIMITS.attributeLength} characters`;
/** Keys and values, as hawkBit checks them. */
const ATTRIBUTE_TEXT = /^[a-zA-Z0-9_\-!@#$%^&*()+=[\]{}|;:'",.<>/\\?\s]*$/;

const isAttributeText = (value: unknown): boolean =>
  typeof value === 'string' && value.length <= DDI_LIMITS.attributeLength && ATTRIBUTE_TEXT.test(value);

/** @throws CampaignError `ddi.malformed`, `ddi.too-many` */
export function readConfirmation(body: unknown): Confirmation {
  const { confirmation, code, details } = asObject(body, '');
  if (code !== undefined && code !== null) integer(code, '/code');
  return {
    confirmation: oneOf(['confirmed', 'denied'] as const, confirmation, '/confirmation'),
    details: readDetails(details, '/details'),
  };
}

/** Nothing may be in it, nor it be there. @throws CampaignError `ddi.malformed` */
export function readAutoConfirm(body: unknown): AutoConfirm {
  if (body === undefined || body === null) return {};
  const { initiator, remark } = asObject(body, '');
  return { ...optionalText({ initiator }), ...optionalText({ remark }) };
}

function optionalText(field: Fields): Record<string, string> {
  const [[name, value] = ['', undefined]] = Object.entries(field);
  return value === undefined || value === null ? {} : { [name]: text(value, `/${name}`) };
}

/** Messages are cut where hawkBit would begin another one. */
function readDetails(value: unknown, pointer: string): string[] {
  if (value === undefined || value === null) return [];
  const items: unknown[] = Array.isArray(value) ? value : [value];
  if (items.length > DDI_LIMITS.messages)
    throw new CampaignError('ddi.too-many', {}, `at most ${DDI_LIMITS.messages} messages`, [
      { pointer, message: `at most ${DDI_LIMITS.messages}` },
    ]);
  return items.map((item, i) => {
    if (typeof item !== 'string') throw malformed(`${pointer}/${i}`, 'must be text');
    return item.slice(0, DDI_LIMITS.messageLength);
  });
}

const malformed = (pointer: string, message: string): CampaignError => refusal('ddi.malformed', pointer, message);

function asObject(value: unknown, pointer: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw malformed(pointer, 'must be an object');
}

const member = (fields: Fields, name: string, pointer: string): Fields => asObject(fields[name], pointer);

/** hawkBit's words are read in any case. */
function oneOf<T extends string>(words: readonly T[], value: unknown, pointer: string): T {
  const found = typeof value === 'string' ? words.find((word) => word === value.toLowerCase()) : undefined;
  if (found === undefined) throw malformed(pointer, `must be one of ${words.join(', ')}`);
  return found;
}

function integer(value: unknown, pointer: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 2 ** 31) return value;
  throw malformed(pointer, 'must be an integer of 32 bits');
}

function text(value: unknown, pointer: string): string {
  if (typeof value === 'string' && value.length > 0 && value.length <= DDI_LIMITS.textLength) return value;
  throw malformed(pointer, `must be text of at most ${DDI_LIMITS.textLength} characters`);
}
