import { spawnSync } from 'node:child_process';

export const isHere = (program: string): boolean =>
  spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program]).status === 0;

/**
 * True when a program is on the machine. Otherwise says what is skipped and why; with `MUSTER_TEST_ALL=1`, as in CI,
 * nothing may be skipped and it throws.
 */
export function canRun(program: string, purpose = 'tests that need it'): boolean {
  if (isHere(program)) return true;
  const said = `${program} is not on this machine: ${purpose} are skipped`;
  if (process.env.MUSTER_TEST_ALL === '1') throw new Error(said);
  console.log(said);
  return false;
}
