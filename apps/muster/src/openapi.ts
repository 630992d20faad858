import { readFileSync } from 'node:fs';
import { openApiDrift, writeOpenApi } from '#insight/nest/insight.module.js';
import { silentLog, systemClock } from '#runtime/index.js';
import { MusterModule } from './muster.module.js';

/** `node dist/apps/muster/src/openapi.js` writes deploy/openapi.json; with `--check` it fails when the file is out of date. */
const root = new URL('../../../../', import.meta.url);
const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { version: string };
const url = 'postgres://nobody@127.0.0.1/none'; // nothing connects in a preview
const app = {
  module: MusterModule.forRoot({
    clock: systemClock,
    log: silentLog,
    about: { name: 'muster', version },
    urls: { actor: url, tail: url, projector: url, insight: url },
    kek: new Uint8Array(32),
    kekFile: '',
    data: '',
    disks: { lowBytes: 0 },
    campaign: {},
  }),
  version,
  file: new URL('deploy/openapi.json', root).pathname,
};

if (process.argv.includes('--check')) {
  const drift = await openApiDrift(app);
  if (drift !== undefined) {
    process.stderr.write(`deploy/openapi.json, ${drift}\nrun: npm run build && node dist/apps/muster/src/openapi.js\n`);
    process.exitCode = 1;
  }
} else await writeOpenApi(app);
