import { describe, expect, it } from 'vitest';
import type { Campaign } from '../api/wire.js';
import { countOf, listSearch, shown } from './list-state.js';

const campaign = (name: string, status: Campaign['status'], channel = 'main') =>
  ({ name, status, channel, campaignId: `id-${name}` }) as Campaign;
const ALL = [campaign('Wallet 2.4', 'running'), campaign('Ringtones', 'halted', 'beta'), campaign('Wallet 3', 'draft')];
const names = (search: Parameters<typeof shown>[1]) => shown(ALL, search).map(({ name }) => name);

describe('the list of campaigns, as its address has it', () => {
  it('keeps what it knows and lets go of the rest', () => {
    expect(listSearch({ view: 'running', q: 'wallet', sort: '-name', x: 1 })).toEqual({
      view: 'running',
      q: 'wallet',
      sort: '-name',
    });
    expect(listSearch({ view: 'nonsense', q: 7 })).toEqual({ q: '7' });
  });

  it('says nothing in the address of what is so anyway', () => expect(listSearch({ view: 'all' })).toEqual({}));

  it('shows the statuses of its view', () => {
    expect(names({ view: 'attention' })).toEqual(['Ringtones']);
    expect(names({})).toEqual(['Wallet 2.4', 'Ringtones', 'Wallet 3']);
    expect(countOf(ALL, 'draft')).toBe(1);
  });

  it('finds by all words, in any order, whatever their case', () => {
    expect(names({ q: '3 WALLET' })).toEqual(['Wallet 3']);
    expect(names({ q: 'beta' })).toEqual(['Ringtones']);
    expect(names({ q: 'wallet', view: 'running' })).toEqual(['Wallet 2.4']);
  });
});
