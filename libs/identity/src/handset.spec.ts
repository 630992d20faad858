import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HandsetEvent } from './events.js';
import { handset, type HandsetCommand, type HandsetState } from './handset.js';

const deviceId = '018f8c2e-7b1a-7c3d-8e4f-0123456789ab';
const expiresAt = '2027-02-22T12:00:00.000Z';
const enrol: HandsetCommand = {
  type: 'EnrolHandset',
  data: { deviceId, deviceNo: 7, channel: 'main', keyHash: 'k1', label: 'van', expiresAt },
};
const renew = (presentedKeyHash: string, keyHash: string): HandsetCommand => ({
  type: 'RenewHandset',
  data: { deviceId, presentedKeyHash, keyHash, expiresAt },
});
const replace = (keyHash: string): HandsetCommand => ({
  type: 'ReplaceHandset',
  data: { deviceId, keyHash, expiresAt },
});
const revoke: HandsetCommand = { type: 'RevokeHandset', data: { deviceId, reason: 'lost' } };
const forget: HandsetCommand = { type: 'ForgetHandset', data: { deviceId, reason: 'asked' } };

/** Runs commands one after another; those that are refused leave no event. */
const history = (...commands: HandsetCommand[]): HandsetEvent[] =>
  commands.reduce<HandsetEvent[]>((events, command) => [...events, ...decide(events, command)], []);
const stateAfter = (events: HandsetEvent[]) => events.reduce<HandsetState>(handset.evolve, handset.initial);
const decide = (events: HandsetEvent[], command: HandsetCommand) => handset.decide(stateAfter(events), command);
const types = (events: HandsetEvent[]) => events.map(({ type }) => type);
const refusal = (events: HandsetEvent[], command: HandsetCommand) => {
  try {
    decide(events, command);
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'accepted';
};

describe('a handset', () => {
  it('begins with epoch 1', () => {
    expect(history(enrol)).toEqual([{ type: 'HandsetEnrolled', data: { ...enrol.data, epoch: 1 } }]);
  });
  it('records nothing when its enrolment is repeated with the same key', () => {
    expect(decide(history(enrol), enrol)).toEqual([]);
  });
  it('refuses an enrolment with another key with device.key-taken', () => {
    const other = { ...enrol, data: { ...enrol.data, keyHash: 'k2' } } as HandsetCommand;
    expect(refusal(history(enrol), other)).toBe('device.key-taken');
  });

  it('renews by its key, to the same or to a new one', () => {
    expect(types(history(enrol, renew('k1', 'k1'), renew('k1', 'k2')))).toEqual([
      'HandsetEnrolled',
      'HandsetRenewed',
      'HandsetRenewed',
    ]);
  });
  it('answers the same renewal again to who knows only the old key', () => {
    expect(decide(history(enrol, renew('k1', 'k2')), renew('k1', 'k2'))).toEqual([]);
  });
  it('refuses a renewal by a retired key with renewal.key-retired', () => {
    expect(refusal(history(enrol, renew('k1', 'k2')), renew('k1', 'k3'))).toBe('renewal.key-retired');
    expect(refusal(history(enrol, renew('k1', 'k2'), renew('k2', 'k3')), renew('k1', 'k2'))).toBe(
      'renewal.key-retired',
    );
  });
  it('refuses a renewal after revocation with device.revoked', () => {
    expect(refusal(history(enrol, revoke), renew('k1', 'k1'))).toBe('device.revoked');
  });

  it('begins a new epoch when it is replaced, revoked or not', () => {
    expect(stateAfter(history(enrol, replace('k2')))).toMatchObject({ status: 'active', keyHash: 'k2', epoch: 2 });
    expect(stateAfter(history(enrol, revoke, replace('k2')))).toMatchObject({ status: 'active', epoch: 2 });
  });
  it('records nothing when the replacement is repeated', () => {
    expect(decide(history(enrol, replace('k2')), replace('k2'))).toEqual([]);
  });

  it('is revoked once', () => {
    expect(decide(history(enrol, revoke), revoke)).toEqual([]);
  });
  it('is revoked and forgotten in one decision', () => {
    expect(types(decide(history(enrol), forget))).toEqual(['HandsetRevoked', 'SubjectForgotten']);
    expect(types(decide(history(enrol, revoke), forget))).toEqual(['SubjectForgotten']);
    expect(decide(history(enrol, forget), forget)).toEqual([]);
  });
  it.each([renew('k1', 'k1'), replace('k2'), revoke])('is unknown to %j once forgotten', (command) => {
    expect(refusal(history(enrol, forget), command)).toBe('device.unknown');
  });
  it.each([renew('k1', 'k1'), replace('k2'), revoke, forget])('is unknown to %j before it enrols', (command) => {
    expect(refusal([], command)).toBe('device.unknown');
  });

  it('has one key, a growing epoch and its number for life, whatever is asked of it', () => {
    const key = fc.constantFrom('k1', 'k2', 'k3', 'k4');
    const command = fc.oneof(
      fc.tuple(key, key).map(([presented, next]) => renew(presented, next)),
      key.map(replace),
      fc.constant(revoke),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 12 }), (commands) => {
        let events = history(enrol);
        let epoch = 1;
        for (const each of commands) {
          if (refusal(events, each) === 'accepted') events = [...events, ...decide(events, each)];
          const state = stateAfter(events);
          if (!('epoch' in state)) throw new Error('lost');
          expect(state.epoch).toBeGreaterThanOrEqual(epoch);
          expect(state.deviceNo).toBe(7);
          expect(decide(events, each.type === 'RenewHandset' ? revoke : each).length).toBeLessThanOrEqual(1);
          ({ epoch } = state);
        }
      }),
    );
  });
});
