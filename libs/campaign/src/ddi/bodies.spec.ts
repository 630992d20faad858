import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  baseBody,
  cancelBody,
  confirmationBody,
  deploymentBody,
  fileOf,
  md5sumOf,
  meetsIfMatch,
  sleepOf,
} from './bodies.js';
import { hawkbitRefusal } from './refusal-body.js';
import { afterTelling, typedAttributes, zoneOf } from './told-attributes.js';

const ROOT = 'https://muster.test/acme/controller/v1/gate-4';
const hashes = { sha1: 'aa'.repeat(20), md5: 'bb'.repeat(16), sha256: 'cc'.repeat(32) };
const offered = { actionId: 7, name: 'a b.swu', version: '1.0', sizeBytes: 2_560, hashes };

/** As hawkBit's documentation shows them; ids are text. */
const chunk = {
  part: 'os',
  version: '1.0',
  name: 'a b.swu',
  artifacts: [
    {
      filename: 'a b.swu',
      hashes,
      size: 2_560,
      _links: {
        download: { href: `${ROOT}/softwaremodules/7/artifacts/a%20b.swu` },
        md5sum: { href: `${ROOT}/softwaremodules/7/artifacts/a%20b.swu.MD5SUM` },
      },
    },
  ],
};

describe('what a client gets', () => {
  it('is a poll with the links that there are, and none where there are none', () => {
    expect(baseBody(ROOT, '00:05:00', { configData: false })).toEqual({ config: { polling: { sleep: '00:05:00' } } });
    expect(baseBody(ROOT, '00:05:00', { deploymentBase: 7, installedBase: 3, configData: true })).toEqual({
      config: { polling: { sleep: '00:05:00' } },
      _links: {
        deploymentBase: { href: expect.stringMatching(/\/deploymentBase\/7\?c=-?\d+$/) as string },
        installedBase: { href: `${ROOT}/installedBase/3` },
        configData: { href: `${ROOT}/configData` },
      },
    });
  });

  it('is a deployment of one artifact', () => {
    const deployment = { download: 'forced', update: 'forced', chunks: [chunk] };
    expect(deploymentBody(ROOT, offered)).toEqual({ id: '7', deployment });
    const actionHistory = { status: 'RUNNING', messages: ['b', 'a'] };
    expect(deploymentBody(ROOT, offered, actionHistory)).toEqual({ id: '7', deployment, actionHistory });
    expect(confirmationBody(ROOT, offered)).toEqual({ id: '7', confirmation: deployment });
  });

  it('is a cancel whose stop id is the action itself', () => {
    expect(cancelBody(11)).toEqual({ id: '11', cancelAction: { stopId: '11' } });
  });

  it('is a checksum as md5sum reads it', () => {
    expect(md5sumOf(offered)).toBe(`${'bb'.repeat(16)}  a b.swu`);
  });

  it('sleeps for less than a day, in hours, minutes and seconds, within a tenth of the interval', () => {
    expect(sleepOf(300, 0.5)).toBe('00:05:00');
    expect(sleepOf(172_800, 0.5)).toBe('23:59:59');
    expect(sleepOf(0, 0.5)).toBe('00:00:05');
    fc.assert(
      fc.property(
        fc.integer({ min: 10, max: 86_400 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (seconds, random) => {
          const text = sleepOf(seconds, random);
          expect(text).toMatch(/^([01]\d|2[0-3]):[0-5]\d:[0-5]\d$/);
          const [h = 0, m = 0, s = 0] = text.split(':').map(Number);
          const slept = h * 3_600 + m * 60 + s;
          expect(slept).toBeGreaterThanOrEqual(Math.floor(Math.min(seconds, 86_399) * 0.9) - 1);
          expect(slept).toBeLessThanOrEqual(Math.ceil(seconds * 1.1) + 1);
        },
      ),
    );
  });

  it('has an address that is short, and keeps the ending that clients look at', () => {
    expect(fileOf('a.swu', hashes)).toBe('a.swu');
    expect(fileOf(`${'é'.repeat(80)}.swu`, hashes)).toBe(`${hashes.sha1}.swu`);
    expect(fileOf('x'.repeat(200), hashes)).toBe(hashes.sha1);
  });

  it('is what If-Match names, in quotes or not', () => {
    for (const header of [undefined, '*', hashes.sha1, `"${hashes.sha1}"`, `"x", "${hashes.sha1}"`])
      expect(meetsIfMatch(header, hashes)).toBe(true);
    expect(meetsIfMatch('"x"', hashes)).toBe(false);
  });

  it("is a refusal in hawkBit's form, and nothing where the credential is none", () => {
    const problem = { status: 404, code: 'ddi.unknown', title: 'Ddi unknown', detail: 'no such action' };
    expect(hawkbitRefusal(problem)).toEqual({
      exceptionClass: 'org.eclipse.hawkbit.repository.exception.EntityNotFoundException',
      errorCode: 'hawkbit.server.error.repo.entitiyNotFound',
      message: 'no such action',
    });
    expect(hawkbitRefusal({ ...problem, status: 401 })).toBeUndefined();
  });
});

describe('what a client tells', () => {
  const schema = {
    version: 1,
    attributes: {
      model: { type: 'string' },
      free: { type: 'int' },
      load: { type: 'double' },
      home: { type: 'bool' },
      apps: { type: 'list<string>' },
      slots: { type: 'list<int>' },
    },
  } as const;

  it('is typed as the schema says', () => {
    const told = { model: 'm1', free: '-42', load: '1.5', home: 'False', apps: 'a, b', slots: '1,2' };
    expect(typedAttributes(schema, told)).toEqual({
      ...{ model: 'm1', free: -42, load: 1.5, home: false },
      ...{ apps: ['a', 'b'], slots: [1, 2] },
    });
    expect(typedAttributes(schema, { free: '9223372036854775807' })).toEqual({ free: '9223372036854775807' });
  });

  it('is left out where it is not of its type, or of no name that the schema has', () => {
    const told = { free: '1.5', load: '', home: 'yes', slots: '1,x', constructor: 'x', other: 'y' };
    expect(typedAttributes(schema, told)).toEqual({});
    expect(typedAttributes(schema, { free: '9223372036854775808' })).toEqual({});
  });

  it('adds up, replaces or removes', () => {
    const before = { a: '1', b: '2' };
    expect(afterTelling(before, { mode: 'merge', data: { b: null, c: '3' } })).toEqual({ a: '1', c: '3' });
    expect(afterTelling(before, { mode: 'replace', data: { c: '3' } })).toEqual({ c: '3' });
    expect(afterTelling(before, { mode: 'remove', data: { a: 'whatever' } })).toEqual({ b: '2' });
  });

  it('has at most 100 names, counted with those that were told before', () => {
    const hundred = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`a${i}`, 'x']));
    expect(() => afterTelling(hundred, { mode: 'merge', data: { more: 'x' } })).toThrow(
      expect.objectContaining({ code: 'ddi.too-many' }) as Error,
    );
    expect(Object.keys(afterTelling(hundred, { mode: 'replace', data: { more: 'x' } }))).toEqual(['more']);
  });

  it('may name a zone, which is UTC where it is none', () => {
    expect(zoneOf({ timezone: 'Europe/Paris' })).toBe('Europe/Paris');
    for (const timezone of ['Nowhere/Land', '../etc', '']) expect(zoneOf({ timezone })).toBe('UTC');
    expect(zoneOf({})).toBe('UTC');
  });
});
