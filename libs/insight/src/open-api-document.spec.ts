import { describe, expect, it } from 'vitest';
import { complete, firstDifference, type OpenApiDocument, sorted } from './open-api-document.js';

const operation = () => ({ responses: {} });
const document = (): OpenApiDocument => ({
  paths: {
    '/v1/events': {
      get: {
        responses: {},
        parameters: [
          { in: 'query', required: true, schema: { default: 50 } },
          { in: 'query', required: true, schema: {} },
        ],
      },
    },
    '/d/v1/inbox': { get: operation() },
    '/livez': { get: operation() },
    '/v1/sessions': { post: { ...operation(), 'x-never-dry': true } },
  },
  components: { schemas: { Query: { required: ['limit', 'name'], properties: { limit: { default: 50 }, name: {} } } } },
});

describe('the OpenAPI document', () => {
  it('does not ask for what has a default', () => {
    const { paths, components } = complete(document());
    expect(paths['/v1/events']?.get?.parameters?.map(({ required }) => required)).toEqual([false, true]);
    expect(components?.schemas?.Query?.required).toEqual(['name']);
  });

  it('says of every route how it refuses, and who may call', () => {
    const { paths } = complete(document());
    const operations = Object.values(paths).flatMap((each) => Object.values(each));
    expect(operations.every(({ responses }) => 'default' in responses)).toBe(true);
    expect(Object.values(paths).map((each) => Object.values(each)[0]?.security)).toEqual([
      [{ person: [] }, { session: [] }],
      [{ handset: [] }],
      [],
      [],
    ]);
  });

  it('names the key that makes a POST repeatable, and the trial only where there can be one', () => {
    const { paths } = complete(document());
    expect(paths['/v1/sessions']?.post?.parameters?.map(({ name }) => name)).toEqual(['Idempotency-Key']);
    expect(paths['/v1/sessions']?.post).not.toHaveProperty('x-never-dry');
    expect(paths['/livez']?.get?.parameters).toBeUndefined();
  });

  it('has one order of keys and sets, and leaves lists alone', () => {
    expect(JSON.stringify(sorted({ b: 1, a: { enum: ['y', 'x'], required: ['n', 'm'], list: ['q', 'p'] } }))).toBe(
      '{"a":{"enum":["x","y"],"list":["q","p"],"required":["m","n"]},"b":1}',
    );
  });

  it('tells the first line that drifted', () => {
    expect(firstDifference('a\nb\n', 'a\nb\n')).toBeUndefined();
    expect(firstDifference('a\nb\n', 'a\nc\n')).toBe('line 2: wanted b, found c');
    expect(firstDifference('a\n', '')).toBe('line 1: wanted a, found ');
    expect(firstDifference('a\n', 'a\nb\n')).toContain('line 2');
  });
});
