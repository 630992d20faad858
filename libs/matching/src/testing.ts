import fc from 'fast-check';
import { checkSchema, type AttributeSchema, type Attributes } from './attributes.js';
import { MatchingError } from './matching-error.js';
import { checkRule } from './rule.js';

/** For tests: one attribute of every type, and two whose names a careless look-up finds on every object. */
export const TEST_SCHEMA: AttributeSchema = checkSchema({
  version: 1,
  attributes: {
    memory: { type: 'int' },
    load: { type: 'double' },
    model: { type: 'string' },
    firmware: { type: 'string' },
    roaming: { type: 'bool' },
    apps: { type: 'list<string>' },
    slots: { type: 'list<int>' },
    constructor: { type: 'string' },
    toString: { type: 'int' },
  },
});

/** No character between U+E000 and U+FFFF beside one beyond: @bufbuild/cel sorts those as UTF-16, CEL by code point. */
const text = fc.constantFrom('', 'a', 'ab', 'b', 'é', '\u{1f600}', '1.2.3', '1.2.3-rc.1', '2.0.0');
const int = fc.oneof(
  { weight: 5, arbitrary: fc.bigInt({ min: -3n, max: 3n }) },
  { weight: 1, arbitrary: fc.constantFrom(2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n) },
);
const double = fc.constantFrom(-2.5, -1, 0, 0.5, 1, 3, 1e300);

/** Attributes of TEST_SCHEMA, any of them missing. */
export const anyAttributes = (): fc.Arbitrary<Attributes> =>
  fc.record(
    {
      memory: int,
      load: double,
      model: text,
      firmware: text,
      roaming: fc.boolean(),
      apps: fc.array(text, { maxLength: 4 }),
      slots: fc.array(int, { maxLength: 4 }),
      constructor: text,
      toString: int,
    },
    { requiredKeys: [], noNullPrototype: true },
  );

type Kind = 'int' | 'double' | 'string';
type Source = fc.Arbitrary<string>;
/** The variable that a comprehension binds, if one is around. */
type Local = { name: string; kind: Kind } | undefined;

const NAMES = ['memory', 'load', 'model', 'firmware', 'roaming', 'apps', 'slots', 'constructor', 'toString'];
const quoted = text.map((value) => JSON.stringify(value));
const decimal = double.map((value) =>
  Number.isInteger(value) && Math.abs(value) < 1e21 ? `${value}.0` : String(value),
);

const ATTRIBUTES: Record<Kind, Source> = {
  int: fc.constantFrom('device.memory', 'device.toString'),
  double: fc.constant('device.load'),
  string: fc.constantFrom('device.model', 'device.firmware', 'device.constructor'),
};
const LITERALS: Record<Kind, Source> = { int: int.map(String), double: decimal, string: quoted };

const join = (left: Source, operators: readonly string[], right: Source): Source =>
  fc.tuple(left, fc.constantFrom(...operators), right).map(([a, operator, b]) => `(${a} ${operator} ${b})`);

function valueOf(kind: Kind, depth: number, local: Local): Source {
  const leaves = [ATTRIBUTES[kind], LITERALS[kind], ...(local?.kind === kind ? [fc.constant(local.name)] : [])];
  if (depth === 0) return fc.oneof(...leaves);
  const below = (of: Kind): Source => valueOf(of, depth - 1, local);
  const branch = fc
    .tuple(condition(depth - 1, local, false), below(kind), below(kind))
    .map(([choice, then, otherwise]) => `(${choice} ? ${then} : ${otherwise})`);
  const operators = { int: ['+', '-', '*', '/', '%'], double: ['+', '-', '*', '/'], string: ['+'] }[kind];
  const sizes =
    kind === 'int' ? [below('string').map((of) => `size(${of})`), list(local).map((of) => `${of}.size()`)] : [];
  const negated = kind === 'string' ? [] : [below(kind).map((of) => `-(${of})`)];
  return fc.oneof(...leaves, join(below(kind), operators, below(kind)), branch, ...sizes, ...negated);
}

const list = (local: Local): Source =>
  fc.oneof(
    fc.constantFrom('device.apps', 'device.slots'),
    fc.array(valueOf('string', 0, local), { minLength: 1, maxLength: 3 }).map((items) => `[${items.join(', ')}]`),
    fc.array(valueOf('int', 0, local), { minLength: 1, maxLength: 3 }).map((items) => `[${items.join(', ')}]`),
  );

function comparison(depth: number, local: Local): Source {
  const below = (kind: Kind): Source => valueOf(kind, depth, local);
  const orders = ['<', '<=', '>', '>='];
  const same = (kind: Kind): Source => join(below(kind), ['==', '!=', ...orders], below(kind));
  const method = fc
    .tuple(below('string'), fc.constantFrom('startsWith', 'endsWith', 'contains'), below('string'))
    .map(([subject, name, argument]) => `${subject}.${name}(${argument})`);
  const version = fc.tuple(below('string'), below('string')).map(([a, b]) => `semver(${a}, ${b})`);
  return fc.oneof(
    same('int'),
    same('double'),
    same('string'),
    join(below('int'), orders, below('double')),
    join(below('string'), ['in'], fc.constantFrom('device.apps', '["a", "é"]')),
    join(below('int'), ['in'], fc.constantFrom('device.slots', '[1, 2]')),
    join(fc.constant('device.apps'), ['==', '!='], fc.constantFrom('["a"]', 'device.apps + ["b"]')),
    join(fc.constant('device.slots[0]'), orders, below('int')),
    join(version, [...orders, '=='], fc.constant('0')),
    method,
  );
}

/** exists and all over a list of one kind; the body is without another one. */
const comprehension = (depth: number): Source =>
  fc
    .constantFrom(
      { over: 'device.apps', local: { name: 'x', kind: 'string' } },
      { over: 'device.slots', local: { name: 'x', kind: 'int' } },
      { over: '["a", device.model]', local: { name: 'x', kind: 'string' } },
    )
    .chain(({ over, local }) =>
      fc
        .tuple(fc.constantFrom('exists', 'all'), condition(depth, local, false))
        .map(([name, body]) => `${over}.${name}(${local.name}, ${body})`),
    );

function condition(depth: number, local: Local, mayBind: boolean): Source {
  const leaves = [
    fc.constantFrom('true', 'false', 'device.roaming'),
    fc.constantFrom(...NAMES).map((name) => `has(device.${name})`),
    comparison(Math.max(0, depth - 2), local),
  ];
  if (depth === 0) return fc.oneof(...leaves);
  const below = condition(depth - 1, local, mayBind);
  const branch = fc
    .tuple(below, below, below)
    .map(([choice, then, otherwise]) => `(${choice} ? ${then} : ${otherwise})`);
  const bound = mayBind ? [comprehension(depth - 1)] : [];
  return fc.oneof(
    ...leaves,
    ...bound,
    join(below, ['&&', '||'], below),
    join(below, ['==', '!='], below),
    below.map((of) => `!${of}`),
    branch,
  );
}

/** Source of a rule inside the profile, over TEST_SCHEMA; the few that would cost too much are left out. */
export const anyRule = (): Source => condition(3, undefined, true).filter(isAffordable);

/** Two rules that stay inside the limits when a rule joins them. */
export const anyTwoRules = (): fc.Arbitrary<[string, string]> =>
  fc.tuple(anyRule(), anyRule()).filter(([a, b]) => isAffordable(`!(!(${a}) || !(${b}))`));

function isAffordable(source: string): boolean {
  try {
    checkRule(source, TEST_SCHEMA, 'selector');
    return true;
  } catch (error) {
    if (error instanceof MatchingError && ['rule.cost', 'rule.too-large'].includes(error.code)) return false;
    throw error;
  }
}
