import { bench } from './harness.js';
import { runJob } from './child.js';

/** SCP03 scripts for subscriptions, each with keys of its own, prepared before any card is there. One process, no I/O. */

const SIZES = [4, 16, 64];
const job = (kind: string) => ({ run: (commands: number) => runJob('script-jobs.mjs', { kind, commands }) });

bench({
  name: 'scripts',
  load: 'One script after the other, each of another AES-128 keyset: INITIALIZE UPDATE and its expected answer, EXTERNAL AUTHENTICATE, commands of 256 bytes of data in the extended form at level 33 and S8, and the R-MAC of the answer to each. One-shot: the same bytes, compared before, with a cipher object of node:crypto for each use',
  unit: 'script',
  clock: 'cpu',
  sizes: { of: 'commands', values: SIZES },
  contenders: [
    { name: 'prepareScript', ...job('prepared') },
    { name: 'one-shot node:crypto', ...job('one-shot') },
  ],
  goals: [{ of: 'prepareScript', against: 'one-shot node:crypto', runsAtLeast: 3, fromSize: 16 }],
  slopesBelow: { prepareScript: 1.05 },
  notes: ['Design §7 asks for 15,000 scripts of 16 commands a second and core: at most 66.7 microseconds a script.'],
});

bench({
  name: 'scripts, sessions',
  load: 'Card challenge and three session keys of another AES-128 keyset each, which no number of commands changes',
  unit: 'session',
  clock: 'cpu',
  sizes: { of: 'commands', values: SIZES },
  contenders: [
    { name: 'deriveAhead', ...job('derived') },
    { name: 'one-shot node:crypto', ...job('derived, one-shot') },
  ],
  goals: [],
  notes: ['A million divided by the microseconds is the sessions that a core derives in a second.'],
});
