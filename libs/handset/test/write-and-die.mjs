/**
 * Writes `{"n":2}` as state.json into the folder named first, and ends itself by SIGKILL before the step named second:
 * no handler, no flush, nothing closed. The sources are read as Vitest reads them, so that no build is needed.
 */
import { runnerImport } from 'vite';

const [, , root, fatalStep] = process.argv;
const conditions = ['muster-src', 'node', 'import', 'default'];
const sources = { configFile: false, resolve: { conditions }, ssr: { resolve: { conditions } }, logLevel: 'error' };
const load = async (file) => (await runnerImport(new URL(`../src/${file}`, import.meta.url).pathname, sources)).module;
const { fileStore } = await load('file-store.ts');
const { writeJson } = await load('store.ts');
const store = fileStore(root, (step) => {
  if (step === fatalStep) process.kill(process.pid, 'SIGKILL');
});
writeJson(store, 'state.json', { n: 2 });
