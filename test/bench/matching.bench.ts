import { bench } from './harness.js';
import { runJob } from './child.js';

/** Server-side matching: which of many selectors are true of a device. Everything in one process, no I/O. */

const SIZES = [1_000, 10_000, 100_000];
const index = (kind: string) => ({ run: (rules: number) => runJob('matching-jobs.mjs', { kind, rules }) });

bench({
  name: 'matching',
  load: 'One look-up after the other, devices with 20 attributes, some missing; rules of 2 to 7 conditions (equality, in, not in, bounds, versions, items of a list, a box of places), 1.1 % of which are true of a device. The walk: every rule as a tree over values coded as numbers, as fast as an interpreter here gets',
  unit: 'look-up',
  clock: 'cpu',
  sizes: { of: 'selectors', values: SIZES },
  contenders: [
    { name: 'index', ...index('index') },
    { name: 'walk of every rule, coded', ...index('walk') },
  ],
  goals: [{ of: 'index', against: 'walk of every rule, coded', runsAtLeast: 30, fromSize: 10_000 }],
  slopesBelow: { index: 1.35 },
});

bench({
  name: 'matching, changes',
  load: 'A selector put in the place of another, in an index of so many',
  unit: 'change',
  clock: 'cpu',
  sizes: { of: 'selectors', values: SIZES },
  contenders: [
    { name: 'index', ...index('change') },
    { name: 'checking the rule alone', ...index('check') },
  ],
  goals: [],
  slopesBelow: { index: 0.3 },
});
