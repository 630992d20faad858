import { expect, it } from 'vitest';
import { found } from './palette-entries.js';

const entry = (text: string, hint = '') => ({ id: text, text, hint, href: '/' });
const ALL = [entry('My campaigns'), entry('Campaigns', 'g c'), entry('Devices', 'g d'), entry('Wallet 2.4', 'running')];
const names = (typed: string) => found(ALL, typed).map(({ text }) => text);

it('finds what holds every word, in what it says or beside it', () => {
  expect(names('wallet run')).toEqual(['Wallet 2.4']);
  expect(names('nothing of the kind')).toEqual([]);
});

it('puts what begins with the word first', () => expect(names('camp')).toEqual(['Campaigns', 'My campaigns']));

it('shows everything in its order to who types nothing', () => expect(names(' ')).toEqual(ALL.map(({ text }) => text)));
