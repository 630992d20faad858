import { describe, expect, it } from 'vitest';
import { afterCancel, afterFeedback, failureCode, isOpen, isRepeated, isSettled } from './action.js';
import type { Feedback } from './read-body.js';
import { CANCEL_MS, type Standing, standingNow, withheldBy } from './standing.js';
import { noCampaign } from '../campaign.js';
import { noContent } from '../content.js';

const said = (execution: Feedback['execution'], finished: Feedback['finished'], ...details: string[]): Feedback => ({
  execution,
  finished,
  details,
});

describe('a report', () => {
  it.each([
    ['offered', said('proceeding', 'none', 'All Chunks Installed.'), 'installed', ['installed']],
    ['canceling', said('proceeding', 'none', 'All Chunks Installed.'), 'installed', ['installed']],
    ['installed', said('proceeding', 'none', 'All Chunks Installed.'), 'installed', []],
    ['offered', said('proceeding', 'failure', 'All Chunks Installed.'), 'offered', []],
    ['installed', said('closed', 'success', 'Update Installed.'), 'finished', ['confirmed']],
    ['offered', said('closed', 'success'), 'finished', ['installed', 'confirmed']],
    ['offered', said('closed', 'none'), 'finished', ['installed', 'confirmed']],
    ['offered', said('closed', 'failure'), 'failed', ['install-failed']],
    ['installed', said('closed', 'failure'), 'failed', ['rolled-back']],
    ['offered', said('closed', 'success', 'Skipped Update.'), 'offered', []],
    ['offered', said('downloaded', 'success'), 'offered', []],
    ['offered', said('canceled', 'none'), 'offered', []],
    ['installed', said('rejected', 'none'), 'installed', []],
  ] as const)('%s: %j → %s', (state, feedback, next, facts) => {
    const action = { state, isTransferred: false, refusedCancel: false };
    expect(afterFeedback(action, false, feedback)).toEqual({ state: next, facts });
  });

  it.each([
    ['offered', {}, 'ended', []],
    ['canceling', {}, 'canceled', []],
    ['offered', { isTransferred: true }, 'failed', ['install-failed']],
    ['offered', { refusedCancel: true }, 'failed', ['install-failed']],
    ['installed', {}, 'failed', ['rolled-back']],
  ] as const)('of a failure while no bytes are sent, %s %j → %s', (state, about, next, facts) => {
    const action = { state, isTransferred: false, refusedCancel: false, ...about };
    expect(afterFeedback(action, true, said('closed', 'failure'))).toEqual({ state: next, facts });
  });

  it('of an end is repeated when it says the same of a closed action, and only then', () => {
    expect(isRepeated('finished', said('closed', 'success'))).toBe(true);
    expect(isRepeated('failed', said('closed', 'failure'))).toBe(true);
    expect(isRepeated('canceled', said('closed', 'failure'))).toBe(true);
    expect(isRepeated('ended', said('closed', 'failure'))).toBe(true);
    expect(isRepeated('failed', said('closed', 'success'))).toBe(false);
    expect(isRepeated('canceled', said('closed', 'success'))).toBe(false);
    expect(isRepeated('finished', said('proceeding', 'success'))).toBe(false);
  });

  it('names a failure by the number that the client gives, and by nothing that it writes', () => {
    expect(failureCode({ ...said('closed', 'failure', 'disk of Mrs Smith'), code: 77 })).toBe('ddi.status-77');
    expect(failureCode(said('closed', 'failure', 'x'))).toBe('ddi.failure');
  });
});

it.each([
  [said('closed', 'success'), 'canceled'],
  [said('closed', 'none'), 'canceled'],
  [said('canceled', 'success'), 'canceled'],
  [said('closed', 'failure'), 'offered'],
  [said('rejected', 'none'), 'offered'],
  [said('proceeding', 'none'), 'canceling'],
] as const)('a cancel that is answered %j makes it %s', (feedback, next) => {
  expect(afterCancel('canceling', feedback)).toBe(next);
});

it.each([
  ['finished', 'k2', true],
  ['failed', 'k1', true],
  ['failed', 'k2', false],
  ['denied', 'k1', true],
  ['canceled', 'k1', false],
  ['ended', 'k1', false],
] as const)('a content that is %s by k1 is settled for %s: %s', (state, campaignId, isIt) => {
  expect(isSettled({ contentId: 'c', campaignId: 'k1', state }, { contentId: 'c', campaignId })).toBe(isIt);
  expect(isSettled({ contentId: 'other', campaignId: 'k1', state }, { contentId: 'c', campaignId })).toBe(false);
});

describe('an open action', () => {
  const campaign = { ...noCampaign, status: 'running' as const };
  const content = { published: null, withdrawn: false };
  const standing = (state: Standing['state'], more: Partial<Standing> = {}): Standing => ({
    ...{ state, changedAt: 0, isStarted: false, refusedCancel: false },
    ...more,
  });
  const recalled = { ...campaign, status: 'aborted' as const, recalled: true };
  const over = { ...campaign, status: 'completed' as const };

  it.each([
    ['stays as its campaign runs', standing('offered'), campaign, 'offered'],
    ['is cancelled by a recall', standing('offered', { isStarted: true }), recalled, 'canceling'],
    [
      'is not cancelled again once the client refused',
      standing('offered', { refusedCancel: true }),
      recalled,
      'offered',
    ],
    ['stays when it is installed, whatever happens', standing('installed'), recalled, 'installed'],
    ['ends with its campaign when nothing has begun', standing('offered'), over, 'ended'],
    ['goes on behind its campaign when it has', standing('offered', { isStarted: true }), over, 'offered'],
    ['ends when its user never answered', standing('waiting'), over, 'ended'],
    ['is offered again when its campaign can be read again', standing('canceling'), campaign, 'offered'],
  ] as const)('%s', (_, action, itsCampaign, next) => {
    expect(standingNow(action, itsCampaign, content, 1)).toBe(next);
  });

  it('that is cancelled ends by itself after a day', () => {
    expect(standingNow(standing('canceling'), recalled, content, CANCEL_MS - 1)).toBe('canceling');
    expect(standingNow(standing('canceling'), recalled, content, CANCEL_MS)).toBe('canceled');
  });

  it('is cancelled with its content, and with what can be read no more', () => {
    expect(standingNow(standing('offered'), campaign, { ...noContent, withdrawn: true }, 1)).toBe('canceling');
    expect(standingNow(standing('offered'), undefined, content, 1)).toBe('canceling');
  });

  it('is left out of a poll outside the window and in a hard pause, unless it is installed', () => {
    const hard = { ...campaign, status: 'paused' as const, pause: 'hard' as const };
    const soft = { ...hard, pause: 'soft' as const };
    const window = { gate: 'window', retryAfterSeconds: 60 } as const;
    expect(withheldBy(standing('offered'), campaign, content, window)).toEqual(window);
    expect(withheldBy(standing('offered'), hard, content, window)).toEqual({ gate: 'paused' });
    expect(withheldBy(standing('offered'), soft, content, window)).toEqual(window);
    expect(withheldBy(standing('offered'), soft, content, undefined)).toBeUndefined();
    expect(withheldBy(standing('installed'), hard, content, window)).toBeUndefined();
    expect(withheldBy(standing('offered', { refusedCancel: true }), hard, content, window)).toBeUndefined();
    expect(['waiting', 'offered', 'canceling', 'installed'].every((state) => isOpen(state as 'offered'))).toBe(true);
    expect(isOpen('ended')).toBe(false);
  });
});
