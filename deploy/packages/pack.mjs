// `npm run pack` makes what outsiders can use: dist/packages/*.tgz, npm archives of the handset SDK, of the rule language and of the
// card protocol, each with types and nothing of the repository in them, and dist/packages/sbom.json, what the product itself is made of.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { generateDtsBundle } from 'dts-bundle-generator';
import { rolldown } from 'rolldown';
import { notices } from './notices.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '../..');
const out = path.join(root, 'dist/packages');
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

const PACKAGES = {
  matching: { index: 'libs/matching/src/index.ts' },
  globalplatform: { index: 'libs/globalplatform/src/index.ts' },
  handset: {
    index: 'libs/handset/src/package-core.ts',
    cel: 'libs/handset/src/cel-rules.ts',
    node: 'libs/handset/src/package-node.ts',
  },
};

/** Loading it is what it is for: the X.509 library's injection registers itself. All of ours only declares. */
const HAS_SIDE_EFFECTS = /node_modules\/(reflect-metadata|@peculiar|tsyringe|pvtsutils|pvutils)/;

/** @returns the files by name, with their code, the chunks they import and the modules that are in them */
async function bundle(entries) {
  const build = await rolldown({
    input: entries,
    cwd: root,
    platform: 'node',
    resolve: { conditionNames: ['muster-src', 'import', 'node', 'default'] },
    treeshake: { moduleSideEffects: (id) => HAS_SIDE_EFFECTS.test(id) },
    onLog: (level, log) => {
      if (level === 'warn') throw new Error(`rolldown: ${log.message}`);
    },
  });
  const { output } = await build.generate({ format: 'esm', minify: true, chunkFileNames: '[name]-[hash].js' });
  await build.close();
  return output;
}

/** What an importer of an entry gets: the entry and every chunk that it imports, each by itself, bytes of gzip -9. */
function weigh(output, fileName, seen = new Set()) {
  const file = output.find((each) => each.fileName === fileName);
  if (file === undefined || seen.has(fileName)) return 0;
  seen.add(fileName);
  const own = gzipSync(file.code, { level: 9 }).length;
  return file.imports.reduce((sum, next) => sum + weigh(output, next, seen), own);
}

function writeTypes(entries, folder) {
  const options = { preferredConfigPath: path.join(here, 'tsconfig.json') };
  const wanted = Object.values(entries).map((filePath) => ({
    filePath: path.join(root, filePath),
    output: { noBanner: true, exportReferencedTypes: false },
  }));
  const texts = generateDtsBundle(wanted, options);
  for (const [index, name] of Object.keys(entries).entries())
    writeFileSync(path.join(folder, `${name}.d.ts`), texts[index]);
}

/** package.json as it is kept here, of this version, with an entry for each bundle. */
function writeManifest(name, entries, folder) {
  const kept = JSON.parse(readFileSync(path.join(here, name, 'package.json'), 'utf8'));
  const exports = Object.keys(entries).map((entry) => [
    entry === 'index' ? '.' : `./${entry}`,
    { types: `./${entry}.d.ts`, default: `./${entry}.js` },
  ]);
  const manifest = { ...kept, version, type: 'module', exports: Object.fromEntries(exports) };
  writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

function writeReadme(name, sizes, folder) {
  const text = readFileSync(path.join(here, name, 'README.md'), 'utf8');
  const filled = text.replaceAll(/\{\{(\w+)\}\}/g, (_, entry) => sizes[entry].toLocaleString('en'));
  writeFileSync(path.join(folder, 'README.md'), filled);
}

async function pack(name, entries) {
  const folder = path.join(out, name);
  mkdirSync(folder, { recursive: true });
  const output = await bundle(entries);
  for (const { fileName, code } of output) writeFileSync(path.join(folder, fileName), code);
  writeTypes(entries, folder);
  writeManifest(name, entries, folder);
  const sizes = Object.fromEntries(Object.keys(entries).map((entry) => [entry, weigh(output, `${entry}.js`)]));
  writeReadme(name, sizes, folder);
  cpSync(path.join(root, 'LICENSE'), path.join(folder, 'LICENSE'));
  const modules = output.flatMap((file) => Object.keys(file.modules ?? {}));
  writeFileSync(path.join(folder, 'THIRD-PARTY.txt'), notices(modules));
  const [{ filename }] = JSON.parse(npm(['pack', '--json', '--pack-destination', out], folder));
  console.log(JSON.stringify({ archive: path.join('dist/packages', filename), gzipBytes: sizes }));
}

const npm = (args, cwd = root) => execFileSync('npm', args, { cwd, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });

/**
 * CycloneDX of what the product runs with, by npm from the lock. `--omit dev` of npm 11.19 leaves out what any development
 * dependency uses too (`pg-types` among 65), so npm gets a lock that has no others.
 */
function sbom() {
  const folder = path.join(out, 'sbom');
  mkdirSync(folder);
  const { devDependencies: _, ...manifest } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8'));
  const kept = Object.entries(lock.packages).filter(([, { dev }]) => dev !== true);
  const packages = { ...Object.fromEntries(kept), '': { ...lock.packages[''], devDependencies: undefined } };
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify(manifest));
  writeFileSync(path.join(folder, 'package-lock.json'), JSON.stringify({ ...lock, packages }));
  const text = npm(['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application', '--package-lock-only'], folder);
  rmSync(folder, { recursive: true });
  console.log(JSON.stringify({ sbom: 'dist/packages/sbom.json', components: JSON.parse(text).components.length }));
  return text;
}

rmSync(out, { recursive: true, force: true });
for (const [name, entries] of Object.entries(PACKAGES)) await pack(name, entries);
writeFileSync(path.join(out, 'sbom.json'), sbom());
