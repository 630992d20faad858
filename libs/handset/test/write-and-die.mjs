/**
 * Writes `{"n":2}` as state.json into the folder named first, and ends itself by SIGKILL before the step named second:
 * no handler, no flush, nothing closed. The sources are read as Vitest reads them, so that no build is needed.
 */
import { runnerImport } from 'vite';

const [, , root, fatalStep] = process.argv;
const conditions = ['muster-src', 'node', 'import', 'default'];
const sources = { configFile: false, resolve: { conditions }, ssr: { resolve: { conditions } }, logLevel: 'error' };
const { module } = await runnerImport(new URL('../src/store.ts', import.meta.url).pathname, sources);
const store = module.fileStore(root, (step) => {
  if (step === fatalStep) process.kill(process.pid, 'SIGKILL');
});
module.writeJson(store, 'state.json', { n: 2 });
