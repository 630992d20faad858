// Budgets that the other tools do not check: lines a file, one door a room, licences of what is installed.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

const problems = [];
const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.ts', '*.tsx'], { encoding: 'utf8' })
  .split('\n')
  .filter(Boolean);
for (const file of files) {
  if (!existsSync(file)) continue;
  const lines = readFileSync(file, 'utf8').split('\n').length - 1;
  const limit = /\.module\.ts$/.test(file) ? 80 : 400;
  if (lines > limit && !/migrations\/|vectors\/|\.spec\.ts$|^test\//.test(file))
    problems.push(`${file}: ${lines} lines, at most ${limit}`);
  if (/(^|\/)(utils|helpers|common|types|service|manager|base)\.ts$/.test(file))
    problems.push(`${file}: a name that says nothing`);
  if (/^libs\/[^/]+\/src\/.+\/index\.ts$/.test(file)) problems.push(`${file}: one door a room`);
}

// Licences: what Apache-2.0 software may ship with. `||` in an expression leaves the choice to us.
const ALLOWED = new Set([
  'MIT',
  'MIT-0',
  'ISC',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'CC0-1.0',
  'CC-BY-4.0',
  'CC-BY-3.0',
  'BlueOak-1.0.0',
  'Python-2.0',
  'Unlicense',
  'PostgreSQL',
  'WTFPL',
  'MPL-2.0',
  'Zlib',
]);
const permitted = (expression) =>
  expression
    .replace(/[()]/g, '')
    .split(/ OR | \|\| /)
    .some((choice) => choice.split(' AND ').every((name) => ALLOWED.has(name.trim())));
const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
for (const [where, entry] of Object.entries(lock.packages)) {
  if (where === '' || entry.link) continue;
  const manifest = path.join(where, 'package.json');
  if (!existsSync(manifest)) continue; // optional, for another platform
  const { license, licenses } = JSON.parse(readFileSync(manifest, 'utf8'));
  const expression =
    typeof license === 'string' ? license : (license?.type ?? licenses?.[0]?.type ?? licenceFile(where));
  if (!permitted(expression)) problems.push(`${where}: licence ${expression} is not on the allow-list`);
}
function licenceFile(where) {
  const text = readdirSync(where)
    .filter((name) => /^(licen[cs]e|readme)/i.test(name))
    .map((name) => readFileSync(path.join(where, name), 'utf8'))
    .join('\n');
  return /MIT License|Permission is hereby granted, free of charge|## License\s+MIT/.test(text) ? 'MIT' : 'none stated';
}

if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exit(1);
}
console.log(`budgets: ${files.length} files, ${Object.keys(lock.packages).length - 1} packages, nothing over`);
