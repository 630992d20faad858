// `npm run bench` runs every bench, `npm run bench -- poll` those whose file has the name; `--keep` puts what was measured into
// deploy/bench.md. A bench that did not run keeps its part of the table.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import path from 'node:path';

const TABLE = 'deploy/bench.md';
const HEAD = `# What was measured

By \`npm run bench -- --keep\`, which replaces the part of each bench that ran. Costs are microseconds an operation, the least of
interleaved rounds; of the CPU of the measured processes, unless a part says otherwise. Machines differ and are shared:
only the ratios of one part are worth comparing.
`;

const asked = process.argv.slice(2);
const isKept = asked.includes('--keep');
const folder = mkdtempSync(path.join(tmpdir(), 'muster-bench-'));
const file = path.join(folder, 'figures.jsonl');
const names = asked.filter((name) => !name.startsWith('--')).map((name) => `test/bench/${name}`);
// One after the other: two at once would measure each other.
const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--project', 'bench', '--no-file-parallelism', ...names];
const { status } = spawnSync(process.execPath, vitest, {
  stdio: 'inherit',
  env: { ...process.env, MUSTER_BENCH_FILE: file },
});
const lines = existsSync(file)
  ? readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
  : [];
rmSync(folder, { recursive: true, force: true });
if (isKept && lines.length > 0) keep(lines);
process.exitCode = status ?? 1;

function keep(figures) {
  const parts = partsOf(existsSync(TABLE) ? readFileSync(TABLE, 'utf8') : '');
  for (const name of new Set(figures.map(({ bench }) => bench)))
    parts.set(name, partOf(figures.filter(({ bench }) => bench === name)));
  const sorted = [...parts].sort(([a], [b]) => a.localeCompare(b));
  writeFileSync(TABLE, [HEAD, ...sorted.map(([name, part]) => `## ${name}\n\n${part.trim()}\n`)].join('\n'));
}

function partsOf(text) {
  const parts = new Map();
  for (const part of text.split(/^## /m).slice(1)) {
    const end = part.indexOf('\n');
    parts.set(part.slice(0, end), part.slice(end));
  }
  return parts;
}

function partOf(figures) {
  const of = (figure) => figures.filter((each) => each.figure === figure);
  const [{ load, notes, rounds, loadAverage }] = of('about');
  const costs = of('cost');
  const sizes = [...new Set(costs.map(({ size }) => size))];
  const [{ of: what, unit, clock }] = costs;
  const slopes = new Map(of('slope').map(({ contender, slope, below }) => [contender, { slope, below }]));
  const rows = [...new Set(costs.map(({ contender }) => contender))].map((contender) => {
    const cells = sizes.map(
      (size) => costs.find((each) => each.contender === contender && each.size === size)?.micros ?? '',
    );
    const { slope, below } = slopes.get(contender);
    return [contender, ...cells, below === undefined ? slope : `${slope} (alarm above ${below})`];
  });
  return [
    `${load}`,
    '',
    `Microseconds of ${clock === 'cpu' ? 'CPU' : 'wall time'} a ${unit}:`,
    '',
    ...table(['', ...sizes.map((size) => `${size} ${what}`), 'slope'], rows),
    '',
    ...goals(of('ratio')),
    ...(notes.length > 0 ? ['', ...notes.map((note) => `- ${note}`)] : []),
    '',
    `${machine()}; ${rounds} rounds, load average ${loadAverage} at the beginning.`,
  ].join('\n');
}

function goals(ratios) {
  if (ratios.length === 0) return [];
  const rows = ratios.map(({ of, against, size, ratio, isMet, costsAtMost, runsAtLeast }) => {
    const goal = costsAtMost === undefined ? `rate at least ${runsAtLeast}` : `cost at most ${costsAtMost}`;
    return [`${of} against ${against}`, size, goal, ratio, isMet ? 'met' : '**not met**'];
  });
  return table(['goal', 'size', 'holds', 'ratio', ''], rows);
}

function table(head, rows) {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}

function machine() {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const [{ model }] = cpus();
  const day = new Date().toISOString().slice(0, 10);
  return `${day}, commit ${commit}, Node ${process.version}, Linux ${release()}, ${cpus().length} cores of ${model.trim()}`;
}
