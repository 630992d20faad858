import { expect, it } from 'vitest';
import type { Campaign } from '../api/wire.js';
import { needsYou } from './needs-you.js';

const campaign = (name: string, status: Campaign['status'], more: Partial<Campaign> = {}) =>
  ({ name, status, authors: ['person:ana'], approvals: [], ...more }) as unknown as Campaign;
const ALL = [
  campaign('runs', 'running'),
  campaign('launch', 'approved'),
  campaign('judge', 'in-review'),
  campaign('judged', 'in-review', { approvals: ['person:li'] }),
  campaign('mine', 'in-review', { authors: ['person:li'] }),
  campaign('halted', 'halted'),
];
const names = (...permissions: string[]) =>
  needsYou(ALL, (permission) => permissions.includes(permission), 'person:li').map(({ campaign: { name }, what }) => [
    name,
    what,
  ]);

it('shows a judge what others have written and the judge has not judged', () => {
  expect(names('campaign:approve')).toEqual([['judge', 'toJudge']]);
});

it('shows an operator what has stopped, then what can be launched', () => {
  expect(names('campaign:operate')).toEqual([
    ['halted', 'toLookAt'],
    ['launch', 'toLaunch'],
  ]);
});

it('shows a viewer nothing', () => expect(names()).toEqual([]));
