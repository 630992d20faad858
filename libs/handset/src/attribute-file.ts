import { existsSync, readFileSync } from 'node:fs';
import { HandsetError } from './errors.js';

/**
 * Attributes from a file: one JSON object, or JSON lines of objects, where a later line overrides an earlier one.
 * @throws HandsetError `attributes.malformed`, which names the line and never a value
 */
export function attributesFromFile(path: string): Record<string, unknown> {
  if (!existsSync(path)) return {};
  const text = readFileSync(path, 'utf8');
  const whole = objectFrom(text);
  if (whole !== undefined) return whole;
  const lines = text.split('\n').map((line) => line.trim());
  return lines.reduce<Record<string, unknown>>((merged, line, index) => {
    if (line === '') return merged;
    const values = objectFrom(line);
    if (values === undefined)
      throw new HandsetError('attributes.malformed', { line: index + 1 }, `line ${index + 1} is not a JSON object`);
    return { ...merged, ...values };
  }, {});
}

function objectFrom(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined; // not JSON as a whole: perhaps lines
  }
}
