/** Rules and devices made up by a seed; the index, and the least that a walk of all rules could cost. */
import { checkAttributes, checkRule, checkSchema, SelectorIndex } from '#matching/index.js';
import { serve } from './child.mjs';

const DEVICES = 200;
const schema = checkSchema({
  version: 1,
  attributes: {
    model: { type: 'string' },
    brand: { type: 'string' },
    country: { type: 'string' },
    operator: { type: 'string' },
    language: { type: 'string' },
    chipset: { type: 'string' },
    os: { type: 'string' },
    firmware: { type: 'string' },
    profile: { type: 'string' },
    segment: { type: 'string' },
    memory: { type: 'int' },
    free: { type: 'int' },
    year: { type: 'int' },
    battery: { type: 'int' },
    cell: { type: 'int' },
    lat: { type: 'double' },
    lon: { type: 'double' },
    roaming: { type: 'bool' },
    esim: { type: 'bool' },
    apps: { type: 'list<string>' },
  },
});

/** Mulberry32: the same rules in each process. */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const KINDS = {
  model: 400,
  brand: 12,
  country: 60,
  operator: 200,
  language: 30,
  chipset: 40,
  os: 6,
  profile: 8,
  segment: 20,
};
const BOUNDS = { memory: 16_384, free: 100_000, year: 30, battery: 100, cell: 65_536 };

function makers(next) {
  const int = (below) => Math.floor(next() * below);
  const pick = (list) => list[int(list.length)];
  /** Some values are much commoner than others. */
  const common = (below) => Math.floor(below * next() ** 2);
  const nameOf = (attribute) => `${attribute}-${common(KINDS[attribute])}`;
  /** Rules are for rare values as well. */
  const anyOf = (attribute) => `${attribute}-${int(KINDS[attribute])}`;
  const newest = () => `2.${int(10)}.${int(20)}`;
  const version = () => `${int(3)}.${int(10)}.${int(20)}`;
  const conditions = [
    () => {
      const a = pick(Object.keys(KINDS));
      return { op: 'eq', a, values: [anyOf(a)] };
    },
    () => {
      const a = pick(Object.keys(KINDS));
      return { op: 'in', a, values: Array.from({ length: 2 + int(3) }, () => anyOf(a)) };
    },
    () => {
      const a = pick(Object.keys(KINDS));
      return { op: 'not-in', a, values: Array.from({ length: 3 + int(6) }, () => nameOf(a)) };
    },
    () => {
      const a = pick(Object.keys(BOUNDS));
      const least = int(BOUNDS[a]);
      return { op: 'between', a, least, most: least + int(BOUNDS[a] / 4) };
    },
    () => ({ op: 'at-least', a: 'firmware', version: newest() }),
    () => ({ op: 'has-item', a: 'apps', values: [`app-${common(300)}`] }),
    () => ({ op: 'is', a: pick(['roaming', 'esim']), value: next() < 0.5 }),
    () => {
      const [lat, lon] = [int(120) - 60, int(300) - 150];
      return { op: 'box', lat, lon, side: 5 + int(20) };
    },
  ];
  return {
    rule: () => Array.from({ length: 2 + int(6) }, () => pick(conditions)()),
    device: () => {
      const values = {
        roaming: next() < 0.2,
        esim: next() < 0.5,
        firmware: version(),
        lat: next() * 120 - 60,
        lon: next() * 300 - 150,
      };
      for (const a of Object.keys(KINDS)) values[a] = nameOf(a);
      for (const a of Object.keys(BOUNDS)) values[a] = int(BOUNDS[a]);
      values.apps = [...new Set(Array.from({ length: 30 }, () => `app-${common(300)}`))];
      for (const a of Object.keys(values)) if (next() < 0.03) delete values[a];
      return values;
    },
  };
}

const quoted = (values) => `[${values.map((value) => JSON.stringify(value)).join(', ')}]`;
const SOURCES = {
  eq: ({ a, values }) => `device.${a} == ${JSON.stringify(values[0])}`,
  in: ({ a, values }) => `device.${a} in ${quoted(values)}`,
  'not-in': ({ a, values }) => `!(device.${a} in ${quoted(values)})`,
  between: ({ a, least, most }) => `device.${a} >= ${least} && device.${a} <= ${most}`,
  'at-least': ({ a, version }) => `semver(device.${a}, "${version}") >= 0`,
  'has-item': ({ a, values }) => `${JSON.stringify(values[0])} in device.${a}`,
  is: ({ a, value }) => `${value ? '' : '!'}device.${a}`,
  box: ({ lat, lon, side }) =>
    `device.lat >= ${lat}.0 && device.lat < ${lat + side}.0 && device.lon >= ${lon}.0 && device.lon < ${lon + side}.0`,
};
const sourceOf = (rule) => rule.map((condition) => SOURCES[condition.op](condition)).join(' && ');

function madeUp(rules) {
  const make = makers(random(7));
  const made = Array.from({ length: rules }, make.rule);
  return { made, devices: Array.from({ length: DEVICES }, make.device), make };
}

/** Values as small integers, so that no comparison touches a string. */
function coding() {
  const codes = new Map();
  const codeOf = (text) => {
    if (!codes.has(text)) codes.set(text, codes.size + 1);
    return codes.get(text);
  };
  const names = Object.keys(schema.attributes);
  const at = (name) => names.indexOf(name);
  const rank = (version) => version.split('.').reduce((sum, part) => sum * 1_000 + Number(part), 0);
  const conditionOf = (condition) => {
    const { op, a, values = [] } = condition;
    if (op === 'at-least') return { op, a: at(a), bound: rank(condition.version) };
    if (op === 'box') return { ...condition, a: at('lat'), b: at('lon') };
    return { ...condition, a: at(a), codes: Int32Array.from(values, codeOf) };
  };
  const deviceOf = (device) =>
    names.map((name) => {
      const value = device[name];
      if (name === 'firmware' && value !== undefined) return rank(value);
      if (Array.isArray(value)) return Int32Array.from(value, codeOf);
      return typeof value === 'string' ? codeOf(value) : value;
    });
  return { conditionOf, deviceOf };
}

function isTrue(condition, device) {
  const value = device[condition.a];
  if (value === undefined) return false;
  switch (condition.op) {
    case 'eq':
      return value === condition.codes[0];
    case 'in':
      return condition.codes.includes(value);
    case 'not-in':
      return !condition.codes.includes(value);
    case 'between':
      return value >= condition.least && value <= condition.most;
    case 'at-least':
      return value >= condition.bound;
    case 'has-item':
      return value.includes(condition.codes[0]);
    case 'is':
      return value === condition.value;
    case 'box': {
      const lon = device[condition.b];
      const { lat, side } = condition;
      return value >= lat && value < lat + side && lon >= condition.lon && lon < condition.lon + side;
    }
  }
}

function walk(rules, device) {
  let found = 0;
  for (const rule of rules) {
    let holds = true;
    for (const condition of rule)
      if (!isTrue(condition, device)) {
        holds = false;
        break;
      }
    if (holds) found += 1;
  }
  return found;
}

/** So that a run takes about a second, and a tick of the CPU's clock is little. */
const lookUps = (perSecond) => Math.max(DEVICES, Math.round(perSecond));

function filled(made) {
  const index = new SelectorIndex();
  made.forEach((rule, i) => index.set(i, checkRule(sourceOf(rule), schema, 'selector')));
  return index;
}

serve({
  index: async ({ rules }) => {
    const { made, devices } = madeUp(rules);
    const index = filled(made);
    const checked = devices.map((device) => checkAttributes(schema, device));
    const coded = coding();
    const tree = made.map((rule) => rule.map(coded.conditionOf));
    let found = 0;
    devices.forEach((device, i) => {
      const matching = index.matching(checked[i]).length;
      if (matching !== walk(tree, coded.deviceOf(device)))
        throw new Error(`the two differ on ${JSON.stringify(device)}`);
      found += matching;
    });
    process.stdout.write(`${rules} selectors, ${((found / DEVICES / rules) * 100).toFixed(2)} % true of a device\n`);
    for (let i = 0; i < 10_000; i += 1) index.matching(checked[i % DEVICES]);
    const count = lookUps(300_000_000 / (rules + 2_000));
    return {
      work: async () => {
        for (let i = 0; i < count; i += 1) found += index.matching(checked[i % DEVICES]).length;
        return count;
      },
    };
  },
  walk: async ({ rules }) => {
    const { made, devices } = madeUp(rules);
    const coded = coding();
    const tree = made.map((rule) => rule.map(coded.conditionOf));
    const ready = devices.map(coded.deviceOf);
    let found = 0;
    for (let i = 0; i < 20; i += 1) found += walk(tree, ready[i]);
    const count = lookUps(20_000_000 / rules);
    return {
      work: async () => {
        for (let i = 0; i < count; i += 1) found += walk(tree, ready[i % DEVICES]);
        return count;
      },
    };
  },
  change: async ({ rules }) => {
    const { made, make } = madeUp(rules);
    const index = filled(made);
    const next = Array.from({ length: 10_000 }, () => checkRule(sourceOf(make.rule()), schema, 'selector'));
    const change = (i) => index.set((i * 7_919) % rules, next[i % next.length]);
    for (let i = 0; i < 10_000; i += 1) change(i);
    return {
      work: async () => {
        for (let i = 0; i < 100_000; i += 1) change(i);
        return 100_000;
      },
    };
  },
  check: async ({ rules }) => {
    const { make } = madeUp(Math.min(rules, 1_000));
    const sources = Array.from({ length: 10_000 }, () => sourceOf(make.rule()));
    const check = (i) => checkRule(sources[i % sources.length], schema, 'selector');
    for (let i = 0; i < 5_000; i += 1) check(i);
    return {
      work: async () => {
        for (let i = 0; i < 20_000; i += 1) check(i);
        return 20_000;
      },
    };
  },
});
