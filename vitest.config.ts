import swc from 'unplugin-swc';
import { defineConfig } from 'vitest/config';
import { missing } from './deploy/kafka/broker.mjs';

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

/** The counts of `npm run test:long` take their time; without them a fault that stands still is told soon. */
const isLong = ['MUSTER_FAULT_ROUNDS', 'MUSTER_NEMESIS_MINUTES'].some((name) => process.env[name] !== undefined);
const faultSeconds = isLong ? 7_200 : 600;

/** Faults of handsets and disks, which no adapter of the log has a part in: on both of them only with the long counts. */
const OF_NO_ADAPTER = ['disk-low', 'downloads', 'killed-agent'].map((name) => `test/fault/${name}.spec.ts`);

/** What other suites run. */
const EXCLUDED: Record<string, string[]> = {
  unit: ['**/*.{int,kafka}.spec.ts'],
  acceptance: ['**/*.kafka.spec.ts'],
  'fault-kafka': isLong ? [] : OF_NO_ADAPTER,
};

/** `*.spec.ts` needs nothing; `*.int.spec.ts` and the folders under test/ get a Postgres of their own run, `*.kafka.spec.ts` a broker too. */
const suite = (
  name: string,
  include: string[],
  seconds: number,
  globalSetup: string[] = [],
  env: Record<string, string> = {},
) => ({
  plugins: [decorators()],
  ...sources,
  test: {
    name,
    include,
    exclude: [...(EXCLUDED[name] ?? []), '**/node_modules/**'],
    testTimeout: seconds * 1000,
    hookTimeout: 120_000,
    globalSetup,
    env,
  },
});

const postgres = ['test/support/postgres.setup.ts'];

/** The same files on the other adapter of the log: each installation gets a broker of its own. */
function onKafka() {
  const lacking = missing();
  if (lacking !== undefined && process.env.MUSTER_TEST_ALL !== '1') {
    console.log(`${lacking}: the suites acceptance-kafka and fault-kafka are skipped`);
    return [];
  }
  const kafka = { MUSTER_TEST_LOG: 'kafka' };
  return [
    suite('acceptance-kafka', ['test/acceptance/{06-*,07-*,ddi-swupdate,webhooks,*.kafka}.spec.ts'], 600, [], kafka),
    suite('fault-kafka', ['test/fault/**/*.spec.ts'], faultSeconds, postgres, kafka),
  ];
}

/** `npm run bench` alone runs these: what they measure wants a machine to itself. */
const benches =
  process.env.MUSTER_BENCH_FILE === undefined ? [] : [suite('bench', ['test/bench/**/*.bench.ts'], 3_600, postgres)];

export default defineConfig({
  test: {
    maxWorkers: 2,
    reporters: ['default', './test/support/seconds.reporter.ts'],
    projects: [
      suite('unit', ['libs/**/*.spec.ts', 'apps/**/*.spec.ts', 'test/{support,bench}/**/*.spec.ts'], 30),
      suite('integration', ['libs/**/*.int.spec.ts', 'apps/**/*.int.spec.ts'], 60, postgres),
      suite('kafka', ['libs/**/*.kafka.spec.ts', 'apps/**/*.kafka.spec.ts'], 60, [
        ...postgres,
        'test/support/kafka.setup.ts',
      ]),
      suite('http', ['test/http/**/*.spec.ts'], 60, postgres),
      suite('acceptance', ['test/acceptance/**/*.spec.ts'], 600),
      suite('fault', ['test/fault/**/*.spec.ts'], faultSeconds, postgres),
      ...onKafka(),
      ...benches,
    ],
  },
});
