import { type AttributeSchema, type Attributes } from '#matching/index.js';
import { type Log } from '#runtime/index.js';
import { HandsetError, hookCode, isRefusal } from './errors.js';
import { type Hooks } from './ports.js';
import { type RuleEngine } from './rule-engine.js';

/** What was collected, and which names the schema refused. */
export interface Collected {
  attributes: Attributes;
  refused: readonly { name: string; message: string }[];
}

/**
 * Collects the attributes and holds them against the schema. A refused value is left out by name, hence unknown to every
 * rule; the others still count. A collector that fails leaves all unknown.
 */
export async function collectAttributes(
  hooks: Hooks,
  schema: AttributeSchema,
  { engine, log }: { engine: Pick<RuleEngine, 'checkAttributes'>; log: Log },
): Promise<Collected> {
  const values = await collected(hooks, log);
  const accepted: Record<string, Attributes[string]> = {};
  const refused: { name: string; message: string }[] = [];
  for (const [name, value] of Object.entries(values))
    try {
      Object.assign(accepted, engine.checkAttributes(schema, { [name]: value }));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      refused.push({ name, message: error.fields[0]?.message ?? error.code });
    }
  if (refused.length > 0) log.warn('attributes.refused', { names: refused.map(({ name }) => name) });
  return { attributes: accepted, refused };
}

async function collected(hooks: Hooks, log: Log): Promise<Record<string, unknown>> {
  try {
    const values = (await hooks.collect?.()) ?? {};
    if (typeof values === 'object' && !Array.isArray(values)) return { ...values };
    throw new HandsetError('attributes.malformed');
  } catch (error) {
    log.warn('attributes.not-collected', { code: hookCode(error) });
    return {};
  }
}
