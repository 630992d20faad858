import { readFileSync } from 'node:fs';
import { usage } from './exit-codes.js';

/** `name=value` pairs: true and false are booleans, numbers numbers, `a,b` in brackets a list, all else text. */
export function attributeValues(pairs: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw usage(`${pair} is not name=value`);
      return [pair.slice(0, at), attributeValue(pair.slice(at + 1))];
    }),
  );
}

function attributeValue(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true';
  if (/^-?(0|[1-9][0-9]*)(\.[0-9]+)?$/.test(text) && Number.isFinite(Number(text)) && !isTooExact(text))
    return Number(text);
  if (text.startsWith('[') && text.endsWith(']'))
    return text
      .slice(1, -1)
      .split(',')
      .map((part) => attributeValue(part.trim()));
  return text;
}

/** Integers are 64-bit: beyond 2^53 they travel as text, as the wire format says. */
const isTooExact = (text: string): boolean => !text.includes('.') && !Number.isSafeInteger(Number(text));

/** JSON from a file, or from standard input for `-`. */
export function jsonFile(file: string): object {
  let content: string;
  try {
    content = readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw usage(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  try {
    const value: unknown = JSON.parse(content);
    if (typeof value === 'object' && value !== null) return value;
  } catch (error) {
    throw usage(`${file} is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  throw usage(`${file} holds no JSON object`);
}
