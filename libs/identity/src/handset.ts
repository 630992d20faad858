import { isDeepStrictEqual } from 'node:util';
import type { Decider } from '#event-log/index.js';
import { IdentityError } from './errors.js';
import type { HandsetEvent, KeptValue } from './events.js';

/** A device's identity: one key at a time, one id for life. */
export type HandsetState =
  | { status: 'none' }
  | ({ status: 'active' | 'revoked' } & HandsetFacts)
  | { status: 'forgotten' };

interface HandsetFacts {
  deviceNo: number;
  channel: string;
  keyHash: string;
  /** The key that the newest renewal retired: a device that lost our answer still knows only this one. */
  renewedFrom: string | null;
  epoch: number;
  expiresAt: string;
  /** Version of the newest rule set that the device was given; null before the first. */
  rulesVersion: number | null;
  kept: Kept;
}

/** What is kept here of a device, by name, and since when. */
export type Kept = Readonly<Record<string, { value: KeptValue; at: string }>>;
export const NOTHING_KEPT: Kept = {};

export type HandsetCommand =
  | {
      type: 'EnrolHandset';
      data: {
        deviceId: string;
        deviceNo: number;
        channel: string;
        keyHash: string;
        label: string | null;
        expiresAt: string;
        controllerId?: string | null;
      };
    }
  /** `presentedKeyHash` signed the proof; `keyHash` is the one to certify, the same or a new one. */
  | { type: 'RenewHandset'; data: { deviceId: string; presentedKeyHash: string; keyHash: string; expiresAt: string } }
  | { type: 'ReplaceHandset'; data: { deviceId: string; keyHash: string; expiresAt: string } }
  /** The device was sent the rules, at enrolment or because it fetched them. */
  | { type: 'DeliverRules'; data: { deviceId: string; channel: string; version: number } }
  /** Merged with what is kept: `null` removes. The values have been checked against the tenant's schema, of that version. */
  | {
      type: 'KeepAttributes';
      data: {
        deviceId: string;
        schemaVersion: number;
        at: string;
        changes: Readonly<Record<string, KeptValue | null>>;
      };
    }
  | { type: 'RevokeHandset'; data: { deviceId: string; reason: string } }
  | { type: 'ForgetHandset'; data: { deviceId: string; reason: string } };

/** @throws IdentityError `device.unknown`, `device.revoked`, `device.key-taken`, `renewal.key-retired` */
function decide(state: HandsetState, command: HandsetCommand): HandsetEvent[] {
  if (command.type === 'EnrolHandset') return enrol(state, command.data);
  const { deviceId } = command.data;
  if (state.status === 'none') throw new IdentityError('device.unknown', { deviceId });
  if (state.status === 'forgotten') return afterForgotten(command);
  switch (command.type) {
    case 'RenewHandset':
      return renew(state, command.data);
    case 'ReplaceHandset': {
      // A revoked identity comes back by replacement alone: a person decided it.
      if (state.status === 'active' && state.keyHash === command.data.keyHash) return [];
      const { keyHash, expiresAt } = command.data;
      const replaced = { deviceId, keyHash, replacesKeyHash: state.keyHash, epoch: state.epoch + 1, expiresAt };
      return [{ type: 'HandsetReplaced', data: replaced }];
    }
    case 'DeliverRules':
      return isNewer(command.data.version, state.rulesVersion) ? [{ type: 'RulesDelivered', data: command.data }] : [];
    case 'KeepAttributes':
      return keep(state.kept, command.data);
    case 'RevokeHandset':
      return revoke(state, command.data);
    case 'ForgetHandset':
      return [...revoke(state, command.data), { type: 'SubjectForgotten', data: command.data }];
  }
}

/** What is so already is not said again. */
function keep(kept: Kept, data: Extract<HandsetCommand, { type: 'KeepAttributes' }>['data']): HandsetEvent[] {
  const news = Object.entries(data.changes).filter(
    ([name, value]) => !isDeepStrictEqual(Object.hasOwn(kept, name) ? kept[name]!.value : null, value),
  );
  return news.length === 0 ? [] : [{ type: 'AttributesKept', data: { ...data, changes: Object.fromEntries(news) } }];
}

function withKept(kept: Kept, { at, changes }: Extract<HandsetEvent, { type: 'AttributesKept' }>['data']): Kept {
  const all = new Map(Object.entries(kept));
  for (const [name, value] of Object.entries(changes ?? {}))
    if (value === null) all.delete(name);
    else all.set(name, { value, at });
  return Object.fromEntries(all);
}

const isNewer = (version: number, than: number | null): boolean => than === null || version > than;

function revoke(
  { status, keyHash }: Extract<HandsetState, { status: 'active' | 'revoked' }>,
  { deviceId, reason }: Extract<HandsetCommand, { type: 'RevokeHandset' | 'ForgetHandset' }>['data'],
): HandsetEvent[] {
  return status === 'revoked' ? [] : [{ type: 'HandsetRevoked', data: { deviceId, keyHash, reason } }];
}

function enrol(state: HandsetState, data: Extract<HandsetCommand, { type: 'EnrolHandset' }>['data']): HandsetEvent[] {
  if (state.status === 'none') return [{ type: 'HandsetEnrolled', data: { ...data, epoch: 1 } }];
  if (state.status === 'active' && state.keyHash === data.keyHash) return [];
  throw new IdentityError('device.key-taken', { deviceId: data.deviceId });
}

function renew(
  state: Extract<HandsetState, { status: 'active' | 'revoked' }>,
  { deviceId, presentedKeyHash, keyHash, expiresAt }: Extract<HandsetCommand, { type: 'RenewHandset' }>['data'],
): HandsetEvent[] {
  if (state.status === 'revoked') throw new IdentityError('device.revoked', { deviceId });
  // A device that keeps its key is no repetition, or its certificate would end with the first renewal.
  const isRepeated =
    presentedKeyHash !== keyHash && presentedKeyHash === state.renewedFrom && keyHash === state.keyHash;
  if (isRepeated) return [];
  if (presentedKeyHash !== state.keyHash) throw new IdentityError('renewal.key-retired', { deviceId });
  return [{ type: 'HandsetRenewed', data: { deviceId, keyHash, replacesKeyHash: state.keyHash, expiresAt } }];
}

/** To forget twice is harmless; anything else finds nobody. */
function afterForgotten(command: HandsetCommand): HandsetEvent[] {
  if (command.type === 'ForgetHandset') return [];
  throw new IdentityError('device.unknown', { deviceId: command.data.deviceId });
}

function evolve(state: HandsetState, event: HandsetEvent): HandsetState {
  switch (event.type) {
    case 'HandsetEnrolled': {
      const { deviceNo, channel, keyHash, epoch, expiresAt } = event.data;
      const first = { renewedFrom: null, rulesVersion: null, kept: NOTHING_KEPT };
      return { status: 'active', deviceNo, channel, keyHash, epoch, expiresAt, ...first };
    }
    case 'HandsetRenewed': {
      if (!('keyHash' in state)) return state;
      const { keyHash, replacesKeyHash, expiresAt } = event.data;
      return { ...state, keyHash, renewedFrom: replacesKeyHash, expiresAt };
    }
    case 'HandsetReplaced': {
      if (!('keyHash' in state)) return state;
      const { keyHash, epoch, expiresAt } = event.data;
      return { ...state, status: 'active', keyHash, renewedFrom: null, epoch, expiresAt };
    }
    case 'HandsetRevoked':
      return 'keyHash' in state ? { ...state, status: 'revoked' } : state;
    case 'SubjectForgotten':
      return { status: 'forgotten' };
    case 'RulesDelivered':
      return 'keyHash' in state ? { ...state, rulesVersion: event.data.version } : state;
    case 'AttributesKept':
      return 'keyHash' in state ? { ...state, kept: withKept(state.kept, event.data) } : state;
  }
}

/** What is kept of a device, by its stream. */
export const keptOf = (events: readonly HandsetEvent[]): Kept => {
  const state = events.reduce<HandsetState>(evolve, { status: 'none' });
  return 'kept' in state ? state.kept : NOTHING_KEPT;
};

export const handset: Decider<HandsetState, HandsetCommand, HandsetEvent> = {
  topic: 'muster.handset',
  initial: { status: 'none' },
  decide,
  evolve,
};
