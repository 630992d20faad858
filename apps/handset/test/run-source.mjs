/** Runs a source file as a program, read as Vitest reads it, so that a test of processes needs no build: `node run-source.mjs <file> …`. */
import { runnerImport } from 'vite';

process.argv.splice(1, 1);
const conditions = ['muster-src', 'node', 'import', 'default'];
const sources = { configFile: false, resolve: { conditions }, ssr: { resolve: { conditions } }, logLevel: 'error' };
await runnerImport(process.argv[1], sources);
