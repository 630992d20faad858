import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AttributeSchema } from '#matching/index.js';
import { type Log } from '#runtime/index.js';
import { attributesFromFile } from './attribute-file.js';
import { collectAttributes } from './attributes.js';
import { celRules } from './cel-rules.js';

const schema: AttributeSchema = { version: 1, attributes: { model: { type: 'string' }, memory: { type: 'int' } } };

const engine = celRules();

describe('attributes', () => {
  let root: string;
  beforeAll(() => (root = mkdtempSync(join(tmpdir(), 'attributes-'))));
  afterAll(() => rmSync(root, { recursive: true }));
  const file = (text: string): string => {
    writeFileSync(join(root, 'file'), text);
    return join(root, 'file');
  };

  it.each([
    ['{"model":"a"}', { model: 'a' }],
    ['{\n  "model": "a"\n}', { model: 'a' }],
    ['{"model":"a","memory":1}\n{"memory":2}\n\n', { model: 'a', memory: 2 }],
  ])('come from %j', (text, values) => {
    expect(attributesFromFile(file(text))).toEqual(values);
  });

  it('are none when the file is not there', () => {
    expect(attributesFromFile(join(root, 'nowhere'))).toEqual({});
  });

  it('refuses a line that is no object with attributes.malformed, and does not repeat it', () => {
    const refusal = { code: 'attributes.malformed', details: { line: 2 }, message: 'line 2 is not a JSON object' };
    expect(() => attributesFromFile(file('{"model":"a"}\n["secret"]'))).toThrow(
      expect.objectContaining(refusal) as Error,
    );
  });

  it('refuses by name what the schema does not have or has otherwise, keeps the rest, and logs no value', async () => {
    const lines: unknown[] = [];
    const log: Log = { debug: () => 0, info: () => 0, error: () => 0, warn: (...line) => void lines.push(line) };
    const values = { model: 'canary-a', memory: 'canary-b', constructor: 'canary-c' };
    const { attributes, refused } = await collectAttributes({ collect: () => Promise.resolve(values) }, schema, {
      engine,
      log,
    });
    expect(attributes).toEqual({ model: 'canary-a' });
    expect(refused.map(({ name }) => name)).toEqual(['memory', 'constructor']);
    expect(JSON.stringify([lines, refused])).not.toContain('canary');
  });

  it('are all unknown when the collector fails', async () => {
    const silent: Log = { debug: () => 0, info: () => 0, error: () => 0, warn: () => 0 };
    const collect = () => Promise.resolve('text');
    expect(await collectAttributes({ collect }, schema, { engine, log: silent })).toEqual({
      attributes: {},
      refused: [],
    });
    const broken = () => Promise.reject(new TypeError('collector of the embedder'));
    expect(await collectAttributes({ collect: broken }, schema, { engine, log: silent })).toEqual({
      attributes: {},
      refused: [],
    });
  });
});
