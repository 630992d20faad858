import { spawnSync } from 'node:child_process';

/**
 * A Python that has python-tuf: `MUSTER_PYTHON`, a virtual environment at `.muster/python`, or the system's.
 * @returns undefined where there is none: the caller skips, with the printed reason
 * @throws Error instead with `MUSTER_TEST_ALL=1`
 */
export function pythonWithTuf(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const candidates = [env.MUSTER_PYTHON, '.muster/python/bin/python', 'python3'].filter((name) => name !== undefined);
  const found = candidates.find(
    (name) => spawnSync(name, ['-c', 'import tuf.ngclient'], { timeout: 30_000 }).status === 0,
  );
  if (found !== undefined) return found;
  const reason =
    'no Python with the package tuf (set MUSTER_PYTHON, or `python3 -m venv .muster/python` and pip install tuf)';
  if (env.MUSTER_TEST_ALL === '1') throw new Error(reason);
  console.log(`skipped: ${reason}`);
  return undefined;
}
