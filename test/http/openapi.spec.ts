import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';

/** The description comes from the built program, because the swagger plugin runs in the build alone. */
const PROGRAM = path.resolve(import.meta.dirname, '../../dist/apps/muster/src/openapi.js');

it('deploy/openapi.json says what the routes are', () => {
  if (!existsSync(PROGRAM)) throw new Error('build first: npm run build');
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM, '--check'], { encoding: 'utf8', timeout: 60_000 });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
