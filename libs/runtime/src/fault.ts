/** What a test may take away, to show that the suite is red without it (design §8). */
export type Guard = 'gap' | 'version' | 'checkpoint' | 'dedupe' | 'signature' | 'lease' | 'tail';

/**
 * A place where a fault test may kill, fail or hold up the process. In the product it is this empty function: only
 * `node --conditions=muster-test` loads `test/support/armed-faults.mjs` in this file's place (package.json, imports).
 * @param _name `<what>.<where>`, e.g. `append.after-commit`
 */
export function failpoint(_name: string): void {}

/** True while the guard stands, which in the product is always. */
export function guarded(_guard: Guard): boolean {
  return true;
}
