import { ATTRIBUTE_LIMITS } from '#matching/index.js';
import type { AttributeValue } from '#device-protocol/index.js';
import { refusal } from './errors.js';
import { checkName } from './upload-metadata.js';

/** Every handset of the channel gets it; a role file holds many. */
const DESCRIPTION_BYTES = 16_384;
const NAME = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;

/**
 * A description is signed as part of the catalogue, which has no fractions (canonical JSON): they travel as text, as
 * integers beyond 2^53 do.
 * @throws CampaignError `upload.name`, `content.attribute`
 */
export function checkDescription(description: {
  name: string;
  attributes: Readonly<Record<string, AttributeValue>>;
}): void {
  checkName(description.name, '/description/name');
  if (Buffer.byteLength(JSON.stringify(description)) > DESCRIPTION_BYTES)
    throw refusal('content.attribute', '/description', `at most ${DESCRIPTION_BYTES} bytes as JSON`);
  const entries = Object.entries(description.attributes);
  if (entries.length > ATTRIBUTE_LIMITS.attributes)
    throw refusal('content.attribute', '/description/attributes', `at most ${ATTRIBUTE_LIMITS.attributes}`);
  for (const [name, value] of entries) checkAttribute(name, value);
}

function checkAttribute(name: string, value: unknown): void {
  const pointer = `/description/attributes/${name.slice(0, 64).replaceAll('~', '~0').replaceAll('/', '~1')}`;
  if (!NAME.test(name)) throw refusal('content.attribute', pointer, 'a letter, then letters, digits or _, at most 64');
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (items.length > ATTRIBUTE_LIMITS.listItems || !items.every(isScalar))
    throw refusal('content.attribute', pointer, 'text, true, false, an integer within 2^53, or a short list of these');
}

const isScalar = (value: unknown): boolean =>
  typeof value === 'boolean' ||
  Number.isSafeInteger(value) ||
  (typeof value === 'string' &&
    Buffer.byteLength(value) <= ATTRIBUTE_LIMITS.stringBytes &&
    !/[\p{Cc}\p{Cs}]/u.test(value));
