import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

/** gzip, KB of 1000 bytes: what a first visit may cost before it shows its page (`reference/ecosystem.md` §2). */
export const BUDGET = { js: 230_000, css: 20_000 };
/** Whoever comes first sees one of these. */
const FIRST_ROUTES = ['sign-in-page', 'overview-page', 'campaigns-page'];

const COMPRESSED = /\.(js|css|html|json|svg)$/;

/** `.br` and `.gz` beside each file that is worth it, so that nothing is compressed while people wait. */
export function compressAll(folder) {
  for (const name of readdirSync(folder, { recursive: true })) {
    const file = path.join(folder, name);
    if (!COMPRESSED.test(name) || !statSync(file).isFile()) continue;
    const bytes = readFileSync(file);
    writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
    const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
    writeFileSync(`${file}.br`, brotliCompressSync(bytes, { params }));
  }
}

/** What each first route loads: the entry, the page's own chunk, and whatever they import. */
export function weigh(folder) {
  const manifest = JSON.parse(readFileSync(path.join(folder, '.vite/manifest.json'), 'utf8'));
  const lines = [];
  const problems = [];
  for (const route of FIRST_ROUTES) {
    const page = Object.keys(manifest).find((key) => key.endsWith(`/${route}.tsx`));
    const seen = new Set();
    const visit = (key) => {
      if (key === undefined || seen.has(key)) return;
      seen.add(key);
      for (const each of manifest[key].imports ?? []) visit(each);
    };
    visit('index.html');
    visit(page);
    const chunks = [...seen].map((key) => manifest[key]);
    const size = (name) => statSync(path.join(folder, `${name}.gz`)).size;
    const sum = (names) => [...new Set(names)].reduce((total, name) => total + size(name), 0);
    const js = sum(chunks.map(({ file }) => file));
    const css = sum(chunks.flatMap((chunk) => chunk.css ?? []));
    lines.push(`first route ${route}: ${js} B of JavaScript, ${css} B of CSS, gzip, ${chunks.length} chunks`);
    if (js > BUDGET.js) problems.push(`${route}: ${js} B of JavaScript, at most ${BUDGET.js}`);
    if (css > BUDGET.css) problems.push(`${route}: ${css} B of CSS, at most ${BUDGET.css}`);
  }
  return { lines, problems };
}
