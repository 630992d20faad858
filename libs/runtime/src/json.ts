import { DomainError } from './errors.js';

/** How deep a body may be nested: no route asks for more than six levels, and what walks a value walks it on the stack. */
export const JSON_DEPTH = 32;

/** A body that is no JSON, or JSON that not every reader reads alike; `fields` names the place. */
export class JsonError extends DomainError<'request.malformed'> {
  override readonly name = 'JsonError';
}

/**
 * Reads a JSON body (RFC 8259), and refuses what would not arrive as it was sent: bytes that are no UTF-8, a member named
 * twice (§4 leaves open which one counts), a number beyond a double, half of a surrogate pair, U+0000 (which Postgres cannot
 * hold), and members named like those that every object inherits, `constructor` or `__proto__`.
 * @throws JsonError
 */
export function readJson(bytes: Uint8Array): unknown {
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    value = JSON.parse(text);
  } catch {
    throw refusal('', bytes.length === 0 ? 'the body is empty' : 'not JSON in UTF-8');
  }
  checkTokens(text);
  return value;
}

const refusal = (pointer: string, message: string): JsonError =>
  new JsonError('request.malformed', {}, message, [{ pointer, message }]);

/** An object or array that is being read, and which of its members. */
interface Level {
  /** Of an object: the names so far. */
  names?: Set<string>;
  member: string | number;
}

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|[[\]{},]/g;

/** Walks the tokens of a text that is known to be JSON; recursion would meet the very depth that it guards against. */
function checkTokens(text: string): void {
  const levels: Level[] = [];
  let before = '';
  for (const [token] of text.matchAll(TOKEN)) {
    const level = levels.at(-1);
    if (token === '{' || token === '[') open(levels, token === '{');
    else if (token === '}' || token === ']') levels.pop();
    else if (token === ',') next(level);
    else if (token.startsWith('"')) checkText(levels, token, level?.names !== undefined && /[{,]/.test(before));
    else if (!Number.isFinite(Number(token))) throw refusal(pointerOf(levels), 'a number beyond a double');
    // A string that follows `{` or `,` in an object is a name; any other token in between makes it a value.
    before = token.startsWith('"') ? '' : token;
  }
}

function open(levels: Level[], isObject: boolean): void {
  if (levels.length === JSON_DEPTH) throw refusal(pointerOf(levels), `nested deeper than ${JSON_DEPTH}`);
  levels.push(isObject ? { names: new Set(), member: '' } : { member: 0 });
}

function next(level: Level | undefined): void {
  if (typeof level?.member === 'number') level.member += 1;
}

function checkText(levels: readonly Level[], token: string, isName: boolean): void {
  const text = token.includes('\\') ? (JSON.parse(token) as string) : token.slice(1, -1);
  const level = levels.at(-1);
  if (isName && level !== undefined) level.member = text;
  if (/[\0\p{Cs}]/u.test(text)) throw refusal(pointerOf(levels), 'no U+0000 and no half of a surrogate pair');
  if (!isName || level?.names === undefined) return;
  if (Object.hasOwn(Object.prototype, text)) throw refusal(pointerOf(levels), 'no member may have this name');
  if (level.names.has(text)) throw refusal(pointerOf(levels), 'named twice');
  level.names.add(text);
}

const pointerOf = (levels: readonly Level[]): string =>
  levels.map(({ member }) => `/${String(member).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
