import { readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * A file of published vectors, read where it lies: `MUSTER_VECTORS` names the folder.
 * @returns undefined where it is not set: the caller skips, with the printed reason
 * @throws Error instead with `MUSTER_TEST_ALL=1`
 */
export function publishedVectors<T>(name: string, env: NodeJS.ProcessEnv = process.env): T | undefined {
  const folder = env.MUSTER_VECTORS;
  if (folder !== undefined) return JSON.parse(readFileSync(path.join(folder, `${name}.json`), 'utf8')) as T;
  const reason = `MUSTER_VECTORS is not set: the published vectors of ${name} are not compared`;
  if (env.MUSTER_TEST_ALL === '1') throw new Error(reason);
  console.log(`skipped: ${reason}`);
  return undefined;
}
