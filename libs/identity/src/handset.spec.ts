import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { specify } from '#event-log/testing.js';
import type { HandsetEvent } from './events.js';
import { handset, type HandsetCommand, type HandsetState, keptOf } from './handset.js';

const given = specify(handset);

const deviceId = '018f8c2e-7b1a-7c3d-8e4f-0123456789ab';
const expiresAt = '2027-02-22T12:00:00.000Z';
const enrolment = { deviceId, deviceNo: 7, channel: 'main', keyHash: 'k1', label: 'van', expiresAt };
const enrol: HandsetCommand = { type: 'EnrolHandset', data: enrolment };
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

const enrolled: HandsetEvent = { type: 'HandsetEnrolled', data: { ...enrolment, epoch: 1 } };
const renewed = (replacesKeyHash: string, keyHash: string): HandsetEvent => ({
  type: 'HandsetRenewed',
  data: { deviceId, keyHash, replacesKeyHash, expiresAt },
});
const replaced = (replacesKeyHash: string, keyHash: string, epoch: number): HandsetEvent => ({
  type: 'HandsetReplaced',
  data: { deviceId, keyHash, replacesKeyHash, epoch, expiresAt },
});
const revoked = (reason = 'lost'): HandsetEvent => ({
  type: 'HandsetRevoked',
  data: { deviceId, keyHash: 'k1', reason },
});
const forgotten: HandsetEvent = { type: 'SubjectForgotten', data: { deviceId, reason: 'asked' } };

describe('a handset', () => {
  it('is said once to have got a version of its rules, and never an older one', () => {
    const deliver = (version: number): HandsetCommand => ({
      type: 'DeliverRules',
      data: { deviceId, channel: 'main', version },
    });
    const delivered = (version: number): HandsetEvent => ({
      type: 'RulesDelivered',
      data: { deviceId, channel: 'main', version },
    });
    given().when(deliver(1)).thenRefused('device.unknown');
    given(enrolled).when(deliver(1)).then(delivered(1));
    given(enrolled, delivered(1)).when(deliver(1)).thenNothing();
    given(enrolled, delivered(2)).when(deliver(1)).thenNothing();
    given(enrolled, delivered(1), replaced('k1', 'k2', 2))
      .when(deliver(2))
      .then(delivered(2));
  });

  it('has attributes kept, merged, and what is so already is not said again', () => {
    const at = '2026-11-30T09:00:00.000Z';
    const keep = (changes: Record<string, string | null>): HandsetCommand => ({
      type: 'KeepAttributes',
      data: { deviceId, schemaVersion: 3, at, changes },
    });
    const kept = (changes: Record<string, string | null>): HandsetEvent => ({
      type: 'AttributesKept',
      data: { deviceId, schemaVersion: 3, at, changes },
    });
    given()
      .when(keep({ tariff: 'gold' }))
      .thenRefused('device.unknown');
    given(enrolled)
      .when(keep({ tariff: 'gold', region: null }))
      .then(kept({ tariff: 'gold' }));
    const before = [enrolled, kept({ tariff: 'gold', region: 'eu' })];
    given(...before)
      .when(keep({ tariff: 'gold' }))
      .thenNothing();
    given(...before)
      .when(keep({ tariff: 'gold', region: null }))
      .then(kept({ region: null }));
    given(...before, revoked())
      .when(keep({ region: null }))
      .then(kept({ region: null }));
    given(...before, revoked(), forgotten)
      .when(keep({ region: 'us' }))
      .thenRefused('device.unknown');
    expect(keptOf([...before, kept({ region: null })])).toEqual({ tariff: { value: 'gold', at } });
    expect(keptOf([...before, revoked(), forgotten])).toEqual({});
  });

  it('begins with epoch 1', () => given().when(enrol).then(enrolled));
  it('records nothing when its enrolment is repeated with the same key', () =>
    given(enrolled).when(enrol).thenNothing());
  it('refuses an enrolment with another key', () =>
    given(enrolled)
      .when({ type: 'EnrolHandset', data: { ...enrolment, keyHash: 'k2' } })
      .thenRefused('device.key-taken'));

  it('renews with the same key', () => given(enrolled).when(renew('k1', 'k1')).then(renewed('k1', 'k1')));
  it('renews with the same key as often as it asks', () =>
    given(enrolled, renewed('k1', 'k1')).when(renew('k1', 'k1')).then(renewed('k1', 'k1')));
  it('renews to a new key', () => given(enrolled).when(renew('k1', 'k2')).then(renewed('k1', 'k2')));
  it('answers the same renewal again to who knows only the old key', () =>
    given(enrolled, renewed('k1', 'k2')).when(renew('k1', 'k2')).thenNothing());
  it('refuses another renewal by a retired key', () =>
    given(enrolled, renewed('k1', 'k2')).when(renew('k1', 'k3')).thenRefused('renewal.key-retired'));
  it('refuses the renewal before the last again', () =>
    given(enrolled, renewed('k1', 'k2'), renewed('k2', 'k3'))
      .when(renew('k1', 'k2'))
      .thenRefused('renewal.key-retired'));
  it('refuses a renewal once revoked', () =>
    given(enrolled, revoked()).when(renew('k1', 'k1')).thenRefused('device.revoked'));

  it('begins a new epoch when it is replaced', () =>
    given(enrolled)
      .when(replace('k2'))
      .then(replaced('k1', 'k2', 2)));
  it('comes back by replacement once revoked', () =>
    given(enrolled, revoked())
      .when(replace('k2'))
      .then(replaced('k1', 'k2', 2)));
  it('records nothing when the replacement is repeated', () =>
    given(enrolled, replaced('k1', 'k2', 2))
      .when(replace('k2'))
      .thenNothing());

  it('is revoked', () => given(enrolled).when(revoke).then(revoked()));
  it('is revoked once', () => given(enrolled, revoked()).when(revoke).thenNothing());
  it('is revoked when it is forgotten', () => given(enrolled).when(forget).then(revoked('asked'), forgotten));
  it('is forgotten after it was revoked', () => given(enrolled, revoked()).when(forget).then(forgotten));
  it('is forgotten once', () => given(enrolled, revoked(), forgotten).when(forget).thenNothing());
  it.each([renew('k1', 'k1'), replace('k2'), revoke])('is unknown to $type once forgotten', (command) =>
    given(enrolled, revoked(), forgotten).when(command).thenRefused('device.unknown'),
  );
  it.each([renew('k1', 'k1'), replace('k2'), revoke, forget])('is unknown to $type before it enrols', (command) =>
    given().when(command).thenRefused('device.unknown'),
  );

  it('keeps its number, never goes back an epoch, and repeats no accepted command, whatever is asked of it', () => {
    const key = fc.constantFrom('k1', 'k2', 'k3', 'k4');
    const command = fc.oneof(
      fc.tuple(key, key).map(([presented, next]) => renew(presented, next)),
      key.map(replace),
      fc.constant(revoke),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 12 }), (commands) => {
        let state: HandsetState = handset.evolve(handset.initial, enrolled);
        for (const each of commands) {
          const { epoch } = activeOrRevoked(state);
          const events = accepted(state, each);
          state = events.reduce(handset.evolve, state);
          expect(activeOrRevoked(state)).toMatchObject({ deviceNo: 7, channel: 'main' });
          expect(activeOrRevoked(state).epoch).toBeGreaterThanOrEqual(epoch);
          // A renewal to the very same key is a new certificate each time; all else happens once.
          const isSameKey = each.type === 'RenewHandset' && each.data.presentedKeyHash === each.data.keyHash;
          if (!isSameKey) expect(accepted(state, each)).toEqual([]);
        }
      }),
    );
  });
});

function activeOrRevoked(state: HandsetState) {
  if ('epoch' in state) return state;
  throw new Error(`the handset is ${state.status}`);
}

function accepted(state: HandsetState, command: HandsetCommand): HandsetEvent[] {
  try {
    return handset.decide(state, command);
  } catch {
    return []; // refused, which the cases above look at
  }
}
