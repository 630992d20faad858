import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Installation } from '../support/installation.js';
import { type Ended, run, temporaryFolder } from '../support/processes.js';

/*
 * What `npm run pack` makes, as an outsider gets it: each archive installed offline in an empty folder, the example of its
 * README type-checked and run as it stands, the handset's against a server.
 */

const OUT = path.resolve('dist/packages');
const CORE_BYTES = 12 * 1_024;
const CONFIG = {
  compilerOptions: { module: 'nodenext', target: 'es2023', strict: true, noEmit: false, types: ['node'] },
  include: ['example.ts'],
};

const folder = temporaryFolder('packages');
const npm = (args: string[], cwd: string): string => execFileSync('npm', args, { cwd, encoding: 'utf8' });

beforeAll(() => {
  npm(['run', '-s', 'pack'], process.cwd());
}, 600_000);
afterAll(() => folder.remove());

/** An empty folder with nothing but the archive, installed without the network, and the README's example. */
function install(name: string): { at: string; home: string } {
  const at = path.join(folder.path, name);
  mkdirSync(at);
  writeFileSync(path.join(at, 'package.json'), JSON.stringify({ name: 'outsider', private: true, type: 'module' }));
  const archive = readdirSync(OUT).find((file) => file.startsWith(`muster-${name}-`))!;
  npm(['install', '--offline', '--no-audit', '--no-fund', path.join(OUT, archive)], at);
  const home = path.join(at, 'node_modules/@muster', name);
  const example = /^```ts\n([\s\S]*?)^```$/m.exec(readFileSync(path.join(home, 'README.md'), 'utf8'))![1]!;
  writeFileSync(path.join(at, 'example.ts'), example);
  // Its types are those of Node; an outsider has them from the registry.
  const compilerOptions = { ...CONFIG.compilerOptions, typeRoots: [path.resolve('node_modules/@types')] };
  writeFileSync(path.join(at, 'tsconfig.json'), JSON.stringify({ ...CONFIG, compilerOptions }));
  return { at, home };
}

/** @returns what the compiler says */
const compile = (at: string): Promise<Ended> =>
  run(process.execPath, [path.resolve('node_modules/typescript/bin/tsc'), '-p', at]);

const filesOf = (home: string): string[] => readdirSync(home).filter((file) => /\.(js|ts)$/.test(file));

/** Everything that loading an entry loads, itself included. */
function loadedBy(home: string, file: string, seen = new Set<string>()): Set<string> {
  seen.add(file);
  for (const [, next] of readFileSync(path.join(home, file), 'utf8').matchAll(/(?:from|import) ?"\.\/([^"]+)"/g))
    if (!seen.has(next!)) loadedBy(home, next!, seen);
  return seen;
}

function expectSelfContained(home: string): void {
  const manifest = JSON.parse(readFileSync(path.join(home, 'package.json'), 'utf8')) as Record<string, unknown>;
  expect(Object.keys(manifest).filter((key) => /dependencies/i.test(key))).toEqual([]);
  for (const file of filesOf(home)) {
    const text = readFileSync(path.join(home, file), 'utf8');
    const imported = ts.preProcessFile(text).importedFiles.map(({ fileName }) => fileName);
    expect(
      imported.filter((name) => !/^(\.\/|node:)/.test(name)),
      file,
    ).toEqual([]);
    expect(text, file).not.toMatch(/["']#[a-z-]+\/|@nestjs/);
  }
  expect(readdirSync(home)).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'THIRD-PARTY.txt', 'index.d.ts']));
}

describe.each(['matching', 'globalplatform'])('the archive @muster/%s', (name) => {
  it('installs in an empty folder, and its example compiles and prints what it says', async () => {
    const { at, home } = install(name);
    expectSelfContained(home);
    expect(await compile(at)).toMatchObject({ code: 0, output: '' });
    const { code, output } = await run(process.execPath, [path.join(at, 'example.js')]);
    expect(code, output).toBe(0);
    const example = readFileSync(path.join(at, 'example.ts'), 'utf8');
    const promised = [...example.matchAll(/^.*console\.log\(.*\); \/\/ (.*)$/gm)].map(([, said]) => said!);
    expect(promised.length).toBeGreaterThan(4);
    expect(output.trimEnd().split('\n')).toEqual(promised);
  });
});

describe('the archive @muster/matching', () => {
  it('refuses in its types what is none of its kinds of rule', async () => {
    const at = path.join(folder.path, 'matching');
    const example = readFileSync(path.join(at, 'example.ts'), 'utf8');
    writeFileSync(path.join(at, 'example.ts'), example.replace("'selector'", "'filter'"));
    expect((await compile(at)).output).toContain(`'"filter"' is not assignable`);
  });
});

describe('the archive @muster/handset', () => {
  let muster: Installation;
  beforeAll(async () => {
    muster = await Installation.start('packages');
  });
  afterAll(() => muster?.stop());

  it('installs in an empty folder, and its example compiles, enrols at a server and takes what fits', async () => {
    const { at, home } = install('handset');
    expectSelfContained(home);
    expect(await compile(at)).toMatchObject({ code: 0, output: '' });
    const attributes = { os: { type: 'string' }, memoryFree: { type: 'int' } };
    await muster.ok('PUT', '/v1/schema', { body: { version: 1, attributes }, headers: { 'if-match': '*' } });
    const [fitting, other] = [await muster.publish(Buffer.from('fits')), await muster.publish(Buffer.from('does not'))];
    await muster.schedule(await muster.draft([fitting], { selector: 'device.memoryFree > 1000000' }));
    await muster.schedule(await muster.draft([other], { selector: 'device.os == "other"' }));
    const { code } = await muster.newCode();
    const { caFingerprint, handsetUrl } = await muster.ok<{ caFingerprint: string; handsetUrl: string }>(
      'GET',
      '/v1/installation',
    );
    const arguments_ = [handsetUrl, caFingerprint, code, path.join(at, 'own')];
    const { code: exit, output } = await run(process.execPath, [path.join(at, 'example.js'), ...arguments_], {
      cwd: at,
    });
    expect(exit, output).toBe(0);
    expect(output).toMatch(/^install radio\.bin from /);
    expect(output).toContain(`changed \n${fitting} installed\n`);
    expect(output).not.toContain(other);
    expect(readFileSync(path.join(at, 'own/contents', fitting), 'utf8')).toBe('fits');
  });

  it('has a core of 12 KB at most, all that it loads counted, without the rule language and without a system below it', () => {
    const home = path.join(folder.path, 'handset/node_modules/@muster/handset');
    const files = [...loadedBy(home, 'index.js')];
    const texts = files.map((file) => readFileSync(path.join(home, file)));
    const bytes = texts.reduce((sum, text) => sum + gzipSync(text, { level: 9 }).length, 0);
    console.log(`core of the SDK: ${bytes} bytes gzip in ${files.length} files`);
    expect(bytes).toBeLessThanOrEqual(CORE_BYTES);
    expect(readFileSync(path.join(home, 'README.md'), 'utf8')).toContain(`| ${bytes.toLocaleString('en')} |`);
    const builtIn = texts.flatMap((text) =>
      [...text.toString().matchAll(/"(node:[a-z_/]+)"/g)].map(([, name]) => name),
    );
    expect(new Set(builtIn)).toEqual(new Set(['node:crypto']));
    expect([...loadedBy(home, 'node.js')]).not.toContain('cel.js');
  });

  it('names whose code it holds, with the licence', () => {
    const home = path.join(folder.path, 'handset/node_modules/@muster/handset');
    const text = readFileSync(path.join(home, 'THIRD-PARTY.txt'), 'utf8');
    for (const name of ['@marcbachmann/cel-js', '@peculiar/x509', 'tsyringe']) expect(text).toContain(`\n${name} `);
    expect(text).not.toContain('undefined');
  });
});

interface Component {
  name: string;
  version: string;
  group?: string;
  licenses?: { license?: { id?: string; name?: string }; expression?: string }[];
  purl?: string;
}

describe('the SBOM', () => {
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
    packages: Record<string, { version?: string; dev?: boolean; link?: boolean }>;
  };
  const nameOf = (where: string) => where.slice(where.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const isOf = (isDev: boolean) =>
    Object.entries(lock.packages)
      .filter(([where, { dev, link }]) => where !== '' && link !== true && (dev === true) === isDev)
      .map(([where, { version }]) => `${nameOf(where)}@${version}`);

  it('names every package that the product runs with, each with its licence, and none of the others', () => {
    const { bomFormat, specVersion, components } = JSON.parse(readFileSync(path.join(OUT, 'sbom.json'), 'utf8')) as {
      bomFormat: string;
      specVersion: string;
      components: Component[];
    };
    expect({ bomFormat, specVersion }).toEqual({
      bomFormat: 'CycloneDX',
      specVersion: expect.stringMatching(/^1\.\d$/) as string,
    });
    const named = new Set(
      components.map(({ group, name, version }) => `${group ? `${group}/` : ''}${name}@${version}`),
    );
    const production = new Set(isOf(false));
    expect([...production].filter((each) => !named.has(each))).toEqual([]);
    expect([...named].filter((each) => !production.has(each))).toEqual([]);
    expect(components.filter(({ purl }) => purl === undefined)).toEqual([]);
    expect(components.filter(({ licenses }) => (licenses ?? []).length === 0).map(({ name }) => name)).toEqual([]);
  });
});
