import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  bucketOf,
  checkAttributes,
  checkRule,
  checkSchema,
  evaluate,
  EVENT_SCHEMA,
  inWave,
  isHeldOut,
  type RuleKind,
  type Verdict,
} from './index.js';
import { murmur3 } from './bucket.js';
import { utf8 } from './input.js';

const read = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8')) as T;

interface RuleVectors {
  schema: unknown;
  cases: {
    name: string;
    kind: RuleKind;
    rule: string;
    device: object;
    event?: object;
    result: boolean;
    leaf: object;
  }[];
  refused: { name: string; kind: RuleKind; rule: string; refused: string }[];
}
interface BucketVectors {
  hashes: { text: string; murmur3: string }[];
  buckets: { salt: string; deviceId: string; bucket: number }[];
  waves: { bucket: number; waveUpTo: number; holdOut: number; heldOut: boolean; inWave: boolean }[];
}

const rules = read<RuleVectors>('rules');
const buckets = read<BucketVectors>('buckets');
const schema = checkSchema(rules.schema);

describe('vectors of rules', () => {
  it.each(rules.cases)('$name: $result', ({ rule, kind, device, event, result, leaf }) => {
    const verdict: Verdict = evaluate(checkRule(rule, schema, kind), {
      device: checkAttributes(schema, device),
      ...(event === undefined ? {} : { event: checkAttributes(EVENT_SCHEMA, event) }),
    });
    expect(verdict).toEqual({ result, leaf });
  });

  it.each(rules.refused)('refuses with $refused: $name', ({ rule, kind, refused }) => {
    expect(() => checkRule(rule, schema, kind)).toThrow(expect.objectContaining({ code: refused }));
  });
});

describe('vectors of buckets', () => {
  it.each(buckets.hashes)('hashes "$text" to $murmur3', ({ text, murmur3: hash }) => {
    expect(murmur3(utf8(text)).toString(16).padStart(8, '0')).toBe(hash);
  });

  it.each(buckets.buckets)('puts $deviceId under "$salt" into $bucket', ({ salt, deviceId, bucket }) => {
    expect(bucketOf(salt, deviceId)).toBe(bucket);
  });

  it.each(buckets.waves)('bucket $bucket, wave to $waveUpTo, $holdOut held out: $inWave', (vector) => {
    expect(isHeldOut(vector.bucket, vector.holdOut)).toBe(vector.heldOut);
    expect(inWave(vector.bucket, vector.waveUpTo, vector.holdOut)).toBe(vector.inWave);
  });
});
