/**
 * The test build's failpoints and guard switches, loaded in the place of libs/runtime/src/fault.ts by the condition
 * `muster-test`. JavaScript, because Node loads it beside the product's own build, which holds nothing of it.
 *
 * MUSTER_FAILPOINT=<name>:<action>[:<n>]   the n-th time (default 1) that the process comes there
 * MUSTER_FAILPOINT=@<file>                 the same from a file, read at every point, so that a running process is armed
 * MUSTER_UNGUARD=<guard>[,<guard>]         guards that do not stand
 *
 * Actions: kill (SIGKILL, no handler runs), throw, delay=<milliseconds> (nothing else of the process runs meanwhile),
 * leak=<bytes> (kept for ever). `*` for n: every time.
 */
import { readFileSync } from 'node:fs';

const { MUSTER_FAILPOINT: setting = '', MUSTER_UNGUARD: unguarded = '' } = process.env;
const taken = new Set(unguarded.split(',').filter(Boolean));
let armed = '';
let passed = 0;
const leaked = [];

export function failpoint(name) {
  const spec = setting.startsWith('@') ? contentOf(setting.slice(1)) : setting;
  if (spec !== armed) [armed, passed] = [spec, 0];
  const [point, action = '', nth = '1'] = spec.split(':');
  if (point !== name) return;
  passed += 1;
  if (nth === '*' || passed === Number(nth)) act(name, action);
}

export const guarded = (guard) => !taken.has(guard);

function act(name, action) {
  if (action === 'kill') process.kill(process.pid, 'SIGKILL');
  else if (action === 'throw') throw new Error(`failpoint ${name}`);
  else if (action.startsWith('delay='))
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(action.slice(6)));
  else if (action.startsWith('leak=')) leaked.push(Buffer.alloc(Number(action.slice(5)), 1));
  else throw new Error(`no such action of a failpoint: ${action}`);
}

function contentOf(file) {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return ''; // not armed
  }
}
