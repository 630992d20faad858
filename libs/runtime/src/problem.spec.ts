import { describe, expect, it } from 'vitest';
import { DomainError } from './errors.js';
import { problemOf } from './problem.js';

describe('the problem document of a refusal', () => {
  it('says what the caller can mend', () =>
    expect(problemOf(new DomainError('campaign.unknown', { campaignId: 'c' }), 't')).toMatchObject({
      status: 404,
      details: { campaignId: 'c' },
    }));

  it('says nothing of the inside when the fault is ours, but when to come back', () => {
    const details = { cause: 'connect ECONNREFUSED 10.0.0.7:5432', retryAfterSeconds: 3 };
    const problem = problemOf(new DomainError('log.unavailable', details), 't');
    expect(problem).toMatchObject({ status: 503, details: { retryAfterSeconds: 3 } });
    expect(JSON.stringify(problem)).not.toContain('10.0.0.7');
  });
});
