/** One part of an explained rule, as the answer has it. */
export interface Condition {
  condition: string;
  result: Truth;
  because?: string;
  error?: string;
  values: { attribute: string; value: unknown; source: string }[];
  parts: Condition[];
}
export type Truth = true | false | 'unknown';

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** The API says of the condition only that it is an object: this is what is read of it. */
export function conditionOf(value: unknown): Condition | undefined {
  if (!isRecord(value) || typeof value.condition !== 'string') return undefined;
  const values = Array.isArray(value.values) ? value.values.filter(isRecord) : [];
  const parts = Array.isArray(value.parts) ? value.parts : [];
  return {
    condition: value.condition,
    result: typeof value.result === 'boolean' ? value.result : 'unknown',
    because: textOf(value.because),
    error: textOf(value.error),
    values: values.map((each) => ({
      attribute: String(each.attribute),
      value: each.value,
      source: textOf(each.source) ?? '',
    })),
    parts: parts.map(conditionOf).filter((part) => part !== undefined),
  };
}

/** What would have to come out otherwise. */
export function changesOf(value: unknown): { condition: string; to: boolean }[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((each: unknown) =>
    isRecord(each) && typeof each.condition === 'string' ? [{ condition: each.condition, to: each.to === true }] : [],
  );
}

export const truthOf = (value: unknown): Truth => (typeof value === 'boolean' ? value : 'unknown');
