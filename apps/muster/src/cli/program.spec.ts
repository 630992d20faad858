import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CommanderError } from 'commander';
import { afterAll, describe, expect, it } from 'vitest';
import { commands, nouns } from '../commands.js';
import { command } from './command.js';
import { readCredentials, removeCredentials, writeCredentials } from './credentials.js';
import { attributeValues } from './parse.js';
import { program } from './program.js';

const folder = mkdtempSync(path.join(tmpdir(), 'muster-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

let ran: unknown;
const probe = command({
  name: 'thing change',
  summary: 'Change a thing',
  args: { thing: { help: 'id' }, other: { help: 'id', optional: true } },
  options: {
    upTo: { type: 'number', help: 'n', required: true },
    tag: { type: 'list', help: 'tags' },
    hard: { type: 'boolean', help: 'hard' },
    kind: { type: 'string', help: 'kind', default: 'soft', choices: ['soft', 'loud'] },
    version: { type: 'string', help: 'its version' },
  },
  run: async (input, { out }) => {
    ran = { ...input, json: out.json };
  },
});

async function parse(...args: string[]): Promise<unknown> {
  ran = undefined;
  const parser = program([probe], { thing: 'things' }, '1.2.3', new AbortController().signal);
  const silent = { writeOut: () => undefined, writeErr: () => undefined };
  for (const each of [parser, ...parser.commands, ...parser.commands.flatMap(({ commands: below }) => below)])
    each.configureOutput(silent);
  await parser.parseAsync(args, { from: 'user' });
  return ran;
}

describe('command line', () => {
  it('turns a declaration into arguments and typed options; global ones stand anywhere', async () => {
    const line = [
      'thing',
      'change',
      't1',
      '--up-to',
      '7',
      '--tag',
      'a',
      '--tag',
      'b',
      '--hard',
      '--version',
      '2.4',
      '--json',
    ];
    const expected = {
      thing: 't1',
      other: undefined,
      upTo: 7,
      tag: ['a', 'b'],
      hard: true,
      kind: 'soft',
      version: '2.4',
    };
    expect(await parse(...line)).toEqual({ ...expected, json: true });
  });

  it.each([
    ['an unknown command', ['thing', 'chnage']],
    ['an unknown option', ['thing', 'change', 't1', '--up-to', '7', '--color-me']],
    ['a missing option', ['thing', 'change', 't1']],
    ['a missing argument', ['thing', 'change', '--up-to', '7']],
    ['a number that is none', ['thing', 'change', 't1', '--up-to', 'many']],
    ['a choice that is none', ['thing', 'change', 't1', '--up-to', '7', '--kind', 'blue']],
  ])('refuses %s and runs nothing', async (_, args) => {
    await expect(parse(...args)).rejects.toBeInstanceOf(CommanderError);
    expect(ran).toBeUndefined();
  });

  it('gives every command a summary and an example that names it, and every noun a description', () => {
    for (const { name, summary, examples } of commands) {
      expect(summary).not.toBe('');
      expect(examples.every((each) => each.includes(`muster ${name}`))).toBe(true);
      const [noun = '', verb] = name.split(' ');
      if (verb !== undefined) expect(nouns[noun]).toBeDefined();
    }
    expect(new Set(commands.map(({ name }) => name)).size).toBe(commands.length);
  });
});

describe('credentials', () => {
  const env = { XDG_CONFIG_HOME: folder };

  it('are kept for the owner alone', () => {
    const file = writeCredentials(env, { server: 'http://x', tenant: 'main', token: 't' });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readCredentials(env)).toMatchObject({ tenant: 'main', token: 't' });
    removeCredentials(env);
    expect(readCredentials(env)).toBeUndefined();
  });
});

describe('name=value', () => {
  it('is a boolean, number, list or text by its form', () => {
    const pairs = ['a=true', 'b=7', 'c=1.5', 'd=[x,7]', 'e=007', 'f=a=b', 'g=9007199254740993', 'h='];
    const values = { a: true, b: 7, c: 1.5, d: ['x', 7], e: '007', f: 'a=b', g: '9007199254740993', h: '' };
    expect(attributeValues(pairs)).toEqual(values);
  });

  it('refuses what has no name', () => {
    expect(() => attributeValues(['=7'])).toThrow('not name=value');
    expect(() => attributeValues(['seven'])).toThrow('not name=value');
  });
});
