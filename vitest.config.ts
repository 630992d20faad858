import swc from 'unplugin-swc';
import { defineConfig } from 'vitest/config';

/** Nest's injection needs decorator metadata, which esbuild cannot emit; swc can. */
const decorators = () =>
  swc.vite({
    module: { type: 'nodenext' },
    jsc: {
      target: 'es2022',
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
    },
  });

/** A guard can be taken away in the test build only; its condition comes first in package.json. */
const conditions = process.env.MUSTER_UNGUARD === undefined ? ['muster-src'] : ['muster-test', 'muster-src'];
const sources = {
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  environments: { __vitest__: { resolve: { conditions: [...conditions, 'node', 'import'] } } }, // the global set-up runs here
};

/** `*.spec.ts` needs nothing; `*.int.spec.ts` and the folders under test/ get a Postgres of their own run, `*.kafka.spec.ts` a broker too. */
const suite = (name: string, include: string[], seconds: number, globalSetup: string[] = []) => ({
  plugins: [decorators()],
  ...sources,
  test: {
    name,
    include,
    exclude: name === 'unit' ? ['**/*.{int,kafka}.spec.ts', '**/node_modules/**'] : ['**/node_modules/**'],
    testTimeout: seconds * 1000,
    hookTimeout: 120_000,
    globalSetup,
  },
});

const postgres = ['test/support/postgres.setup.ts'];

export default defineConfig({
  test: {
    maxWorkers: 2,
    reporters: ['default', './test/support/seconds.reporter.ts'],
    projects: [
      suite('unit', ['libs/**/*.spec.ts', 'apps/**/*.spec.ts', 'test/support/**/*.spec.ts'], 30),
      suite('integration', ['libs/**/*.int.spec.ts', 'apps/**/*.int.spec.ts'], 60, postgres),
      suite('kafka', ['libs/**/*.kafka.spec.ts'], 60, [...postgres, 'test/support/kafka.setup.ts']),
      suite('http', ['test/http/**/*.spec.ts'], 60, postgres),
      suite('acceptance', ['test/acceptance/**/*.spec.ts'], 600),
      suite('fault', ['test/fault/**/*.spec.ts'], 2_700, postgres),
    ],
  },
});
