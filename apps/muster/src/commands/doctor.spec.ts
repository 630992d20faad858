import { expect, it } from 'vitest';
import { keyFinding } from './doctor.js';

const DAY = 86_400_000;
const status = (days: number, due: boolean, online: boolean) => {
  return { role: 'root', expiresAt: new Date(days * DAY).toISOString(), due, online };
};

it.each([
  ['expired', status(-1, true, false), 'bad'],
  ['signed offline and past half of its life', status(30, true, false), 'due'],
  ['signed offline and young', status(300, false, false), 'ok'],
  ['signed online, whatever its age', status(1, true, true), 'ok'],
])('tells of metadata that is %s', (_, of, state) =>
  expect(keyFinding('main', of, 0)).toMatchObject([{ check: 'key: main root', state }]),
);
