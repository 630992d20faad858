// Builds the web console when what it is made of has changed, and compresses it beside its files: `npm run build`, `npm start`.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

const root = path.resolve(import.meta.dirname, '../..');
const built = path.join(root, 'dist/apps/console');
const noted = path.join(root, 'dist/console.digest');
const SCRIPT = 'build:console';
const LEAST_BYTES = 1_024;

/** Files below a folder, by their paths, in one order; nothing that was made or installed. */
function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => !/[\\/](node_modules|dist)[\\/]/.test(path.relative(root, file)))
    .sort();
}

/** Content and not times: a checkout or an install makes every file new. */
function digestOf(files) {
  const hash = createHash('sha256');
  for (const file of files.filter(existsSync)) hash.update(`${path.relative(root, file)}\n`).update(readFileSync(file));
  return hash.digest('hex');
}

async function compress(folder) {
  const texts = filesBelow(folder).filter((file) => /\.(js|css|svg|json|map|webmanifest)$/.test(file));
  for (const file of texts) {
    const bytes = readFileSync(file);
    if (bytes.length < LEAST_BYTES) continue;
    const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
    writeFileSync(`${file}.br`, await promisify(brotliCompress)(bytes, quality));
    writeFileSync(`${file}.gz`, await promisify(gzip)(bytes, { level: 9 }));
  }
}

const { scripts } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const inputs = ['package.json', 'package-lock.json', 'deploy/openapi.json'].map((name) => path.join(root, name));
const digest = digestOf([...inputs, ...filesBelow(path.join(root, 'apps/console'))]);
const isFresh =
  existsSync(path.join(built, 'index.html')) && existsSync(noted) && readFileSync(noted, 'utf8') === digest;
if (!isFresh && scripts[SCRIPT] !== undefined) {
  process.stderr.write('building the console …\n');
  const npm = process.env.npm_execpath; // absent where node was started by hand
  const [command, ...args] = npm === undefined ? ['npm'] : [process.execPath, npm];
  const { status } = spawnSync(command, [...args, 'run', SCRIPT], { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exit(status ?? 1);
  await compress(built);
  writeFileSync(noted, digest);
}
