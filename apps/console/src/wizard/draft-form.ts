import type { Campaign, CampaignSettings, StopRule, Window } from '../api/wire.js';

/** A gate as people write it: shares in percent. */
export interface WaveForm {
  percent: number;
  /** How it goes on behind it. */
  then: 'gate' | 'person';
  success: number;
  minimum: number;
  timeoutMinutes: number;
}

export interface StopForm {
  on: StopRule['on'];
  percent: number;
  minimum: number;
}

/** The settings as the form has them; numbers that may be absent are texts. */
export interface DraftForm {
  name: string;
  channel: string;
  contents: string[];
  selector: string;
  mode: Campaign['mode'];
  class: Campaign['class'];
  priority: number;
  start: string;
  end: string;
  waves: WaveForm[];
  windows: Window[];
  holdOutPercent: number;
  transfers: string;
  bytesPerSecond: string;
  bytesPerDay: string;
  stops: StopForm[];
  transferMinutes: string;
  confirmMinutes: string;
  conflictGroup: string;
  /** What the form does not show and must not lose. */
  kept: Pick<CampaignSettings, 'salt' | 'confirmation'> & { waveUpTo?: number };
}

export const emptyDraft = (): DraftForm => ({
  name: '',
  channel: 'main',
  contents: [],
  selector: '',
  mode: 'device',
  class: 'normal',
  priority: 500,
  start: '',
  end: '',
  waves: [],
  windows: [],
  holdOutPercent: 0,
  transfers: '',
  bytesPerSecond: '',
  bytesPerDay: '',
  stops: [{ on: 'failed', percent: 5, minimum: 20 }],
  transferMinutes: '',
  confirmMinutes: '',
  conflictGroup: '',
  kept: {},
});

/** The rule that the server keeps when there is none. */
export const EVERYBODY = 'true';

export const newWave = (percent: number): WaveForm => ({
  percent,
  then: 'gate',
  success: 95,
  minimum: 20,
  timeoutMinutes: 1_440,
});

export const newWindow = (): Window => ({ days: [1, 2, 3, 4, 5, 6, 7], from: '22:00', to: '05:00', zone: 'device' });

const numberOf = (text: string): number | null => (text.trim() === '' ? null : Number(text));
const textOf = (value: number | null | undefined): string => (value == null ? '' : String(value));
const bucketsOf = (percent: number): number => Math.round(percent * 100);

export function settingsOf(form: DraftForm): CampaignSettings {
  return {
    ...form.kept,
    name: form.name.trim(),
    channel: form.channel,
    contents: form.contents,
    ...(form.selector.trim() === '' ? {} : { selector: form.selector }),
    mode: form.mode,
    class: form.class,
    priority: form.priority,
    start: form.start === '' ? null : form.start,
    end: form.end === '' ? null : form.end,
    windows: form.windows,
    holdOut: bucketsOf(form.holdOutPercent),
    caps: {
      transfers: numberOf(form.transfers),
      bytesPerSecond: numberOf(form.bytesPerSecond),
      bytesPerDay: numberOf(form.bytesPerDay),
    },
    timeouts: { transferMinutes: numberOf(form.transferMinutes), confirmMinutes: numberOf(form.confirmMinutes) },
    stopRules: form.stops.map(({ on, percent, minimum }) => ({ on, share: percent / 100, minimum })),
    conflictGroup: form.conflictGroup.trim() === '' ? null : form.conflictGroup.trim(),
    ...(form.waves.length === 0
      ? {}
      : {
          waveUpTo: bucketsOf(form.waves[0]?.percent ?? 100),
          waves: form.waves.map(({ percent, then, success, minimum, timeoutMinutes }, n) => ({
            upTo: bucketsOf(percent),
            // Nothing comes behind the last.
            gate:
              then === 'gate' && n < form.waves.length - 1 ? { success: success / 100, minimum, timeoutMinutes } : null,
          })),
        }),
  };
}

export function draftOf(campaign: Campaign): DraftForm {
  const { waves, caps, timeouts, stopRules, holdOut, salt, confirmation, waveUpTo } = campaign;
  return {
    name: campaign.name,
    channel: campaign.channel,
    contents: campaign.contents,
    selector: campaign.selector === EVERYBODY ? '' : campaign.selector,
    mode: campaign.mode,
    class: campaign.class,
    priority: campaign.priority,
    start: campaign.start ?? '',
    end: campaign.end ?? '',
    windows: campaign.windows,
    holdOutPercent: holdOut / 100,
    transfers: textOf(caps.transfers),
    bytesPerSecond: textOf(caps.bytesPerSecond),
    bytesPerDay: textOf(caps.bytesPerDay),
    transferMinutes: textOf(timeouts.transferMinutes),
    confirmMinutes: textOf(timeouts.confirmMinutes),
    conflictGroup: campaign.conflictGroup ?? '',
    stops: stopRules.map(({ on, share, minimum = 0 }) => ({ on, percent: share * 100, minimum })),
    waves: waves.map(({ upTo, gate }) => ({
      ...newWave(upTo / 100),
      ...(gate == null
        ? { then: 'person' as const }
        : { success: gate.success * 100, minimum: gate.minimum, timeoutMinutes: gate.timeoutMinutes }),
    })),
    kept: {
      salt,
      ...(confirmation === undefined ? {} : { confirmation }),
      ...(waves.length === 0 ? { waveUpTo } : {}),
    },
  };
}

/** What is missing before it can be saved at all. */
export function gapsOf({ name, contents, waves }: DraftForm): ('name' | 'contents' | 'waves')[] {
  const isRising = waves.every(({ percent }, n) => percent > (waves[n - 1]?.percent ?? 0) && percent <= 100);
  return [
    ...(name.trim() === '' ? (['name'] as const) : []),
    ...(contents.length === 0 ? (['contents'] as const) : []),
    ...(isRising ? [] : (['waves'] as const)),
  ];
}

/** The form of which a field of the answer speaks, by the first word of its pointer. */
const STEP_OF: Record<string, 'contents' | 'audience' | 'pace' | 'safety'> = {
  name: 'contents',
  contents: 'contents',
  channel: 'audience',
  selector: 'audience',
  mode: 'audience',
  stopRules: 'safety',
  timeouts: 'safety',
  conflictGroup: 'safety',
};
export const stepOfPointer = (pointer: string) => STEP_OF[pointer.split('/')[1] ?? ''] ?? 'pace';
