import { readFileSync, writeFileSync } from 'node:fs';
import { asyncApi } from '#event-log/index.js';
import { catalog } from './rooms.js';

/** `node dist/apps/muster/src/asyncapi.js` writes deploy/asyncapi.json; with `--check` it fails when the file is out of date. */
const root = new URL('../../../../', import.meta.url);
const file = new URL('deploy/asyncapi.json', root);
const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { version: string };
const document = asyncApi(catalog.definitions, {
  title: 'Muster events',
  version,
  description: 'Every event of the log as it lies in Kafka. What a topic is for, and who owns it: libs/event-log.',
});
const text = `${JSON.stringify(document, null, 2)}\n`;

if (process.argv.includes('--check')) {
  if (readFileSync(file, 'utf8') !== text) {
    process.stderr.write(
      'deploy/asyncapi.json is out of date\nrun: npm run build && node dist/apps/muster/src/asyncapi.js\n',
    );
    process.exitCode = 1;
  }
} else writeFileSync(file, text);
