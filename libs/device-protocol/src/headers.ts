/** `Muster-Trigger: <rule>;v=<n>`: which stored rule woke the handset. A header and never a query, so that caches stay shared. */
export const TRIGGER_HEADER = 'muster-trigger';
/** ETag of the device's inbox, on every answer to a poll with a certificate. */
export const INBOX_HEADER = 'muster-inbox';
/** Seconds until the server wants to hear from the handset again. */
export const INTERVAL_HEADER = 'muster-interval';

/** Why a handset polls: a rule it stores, and the version of the rule set it is in. */
export interface TriggerName {
  rule: string;
  version: number;
}

const TRIGGER = /^([a-z0-9][a-z0-9-]{0,63});v=([0-9]{1,9})$/;

export const formatTrigger = ({ rule, version }: TriggerName): string => `${rule};v=${version}`;

/** @returns undefined when the header is absent or not of the form above (the poll is then recorded as `unknown;v=0`) */
export function parseTrigger(header: string | undefined): TriggerName | undefined {
  const match = header === undefined ? null : TRIGGER.exec(header);
  return match === null ? undefined : { rule: match[1]!, version: Number(match[2]) };
}
