import { existsSync, readFileSync } from 'node:fs';
import { type AttributeSchema, type Attributes, checkAttributes, MatchingError } from '#matching/index.js';
import { type Log } from '#runtime/index.js';
import { HandsetError } from './errors.js';
import { type Hooks } from './ports.js';

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

/** What was collected, and which names the schema refused. */
export interface Collected {
  attributes: Attributes;
  refused: readonly { name: string; message: string }[];
}

/**
 * Collects the attributes and holds them against the schema. A refused value is left out by name, hence unknown to every
 * rule; the others still count. A collector that fails leaves all unknown.
 */
export async function collectAttributes(hooks: Hooks, schema: AttributeSchema, log: Log): Promise<Collected> {
  const values = await collected(hooks, log);
  const accepted: Record<string, Attributes[string]> = {};
  const refused: { name: string; message: string }[] = [];
  for (const [name, value] of Object.entries(values))
    try {
      Object.assign(accepted, checkAttributes(schema, { [name]: value }));
    } catch (error) {
      if (!(error instanceof MatchingError)) throw error;
      refused.push({ name, message: error.fields[0]?.message ?? error.code });
    }
  if (refused.length > 0) log.warn('attributes.refused', { names: refused.map(({ name }) => name) });
  return { attributes: accepted, refused };
}

async function collected(hooks: Hooks, log: Log): Promise<Record<string, unknown>> {
  try {
    const values = (await hooks.collect?.()) ?? {};
    if (typeof values === 'object' && !Array.isArray(values)) return { ...values };
    throw new HandsetError('attributes.malformed', {}, 'attributes are one JSON object');
  } catch (error) {
    log.warn('attributes.not-collected', { code: error instanceof HandsetError ? error.code : 'hook.failed' });
    return {};
  }
}
