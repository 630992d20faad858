import { spawnSync } from 'node:child_process';

/** A Python that has python-tuf. @see pythonWith */
export const pythonWithTuf = (env?: NodeJS.ProcessEnv): string | undefined => pythonWith('tuf.ngclient', 'tuf', env);

/**
 * A Python that has a package: `MUSTER_PYTHON`, a virtual environment at `.muster/python`, or the system's.
 * @returns undefined where there is none: the caller skips, with the printed reason
 * @throws Error instead with `MUSTER_TEST_ALL=1`
 */
export function pythonWith(
  module: string,
  distribution: string,
  env: NodeJS.ProcessEnv = process.env,
): string | undefined {
  const candidates = [env.MUSTER_PYTHON, '.muster/python/bin/python', 'python3'].filter((name) => name !== undefined);
  const found = candidates.find(
    (name) => spawnSync(name, ['-c', `import ${module}`], { timeout: 30_000 }).status === 0,
  );
  if (found !== undefined) return found;
  const reason = `no Python with the package ${distribution} (set MUSTER_PYTHON, or \`python3 -m venv .muster/python\` and pip install ${distribution})`;
  if (env.MUSTER_TEST_ALL === '1') throw new Error(reason);
  console.log(`skipped: ${reason}`);
  return undefined;
}
