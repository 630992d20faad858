import { describe, it } from 'vitest';
import { specify } from '#event-log/testing.js';
import { contentDecider } from './content.js';
import { campaignDecider, type CampaignCommand } from './decide.js';
import type { CampaignEvent, CampaignSettings, ContentEvent } from './events.js';
import { NO_TALLY } from './outcomes.js';
import { PLAIN_SETTINGS } from './plain-settings.js';
import type { Surroundings } from './settings.js';
import { EMPTY_SCHEMA, FIRST_RULES, rulesDecider, schemaDecider } from './vocabulary.js';

const NOW = Date.parse('2026-11-24T09:00:00.000Z');
const at = (hours: number): string => new Date(NOW + hours * 3_600_000).toISOString();
const campaignId = 'k-1';
const named = { campaignId };
const AUTHOR = 'person:author';
const now = { by: AUTHOR, now: NOW };
/** A step of a person, now. */
const step = { ...named, by: AUTHOR, at: at(0) };

const settings: CampaignSettings = {
  name: 'radio',
  channel: 'main',
  contents: ['c-1'],
  mode: 'device',
  selector: 'true',
  start: null,
  end: null,
  windows: [],
  waveUpTo: 10_000,
  holdOut: 0,
  salt: 's',
  priority: 500,
  ...PLAIN_SETTINGS,
};
/** Within the limits by itself, and no more so beside another of its size. */
const LONG = `device.model in [${Array.from({ length: 180 }, (_, i) => `"model ${i}"`).join(', ')}]`;
const around: Surroundings = {
  schema: { version: 1, attributes: { model: { type: 'string' } } },
  contentOf: (id) =>
    ({ 'c-1': 'published' as const, 'c-crowded': 'published' as const, 'c-old': 'withdrawn' as const })[id],
  selectorOf: (id) => (id === 'c-old' ? 'true' : LONG),
  offersOf: (id) => (id === 'c-crowded' ? 20 : 0),
  channels: new Set(['main']),
  approvals: 0,
  statusOf: (id) => ({ 'k-done': 'completed' as const, 'k-runs': 'running' as const })[id],
};

const drafted: CampaignEvent = { type: 'CampaignDrafted', data: { ...named, ...settings, by: AUTHOR, parent: null } };
const scheduled: CampaignEvent = { type: 'CampaignScheduled', data: { ...step, start: at(1), end: at(5) } };
const started: CampaignEvent = { type: 'CampaignStarted', data: { ...named, at: at(1) } };
const paused: CampaignEvent = { type: 'CampaignPaused', data: { ...step, kind: 'soft', reason: 'r' } };
const pausedHard: CampaignEvent = { type: 'CampaignPaused', data: { ...step, kind: 'hard', reason: 'r' } };
const resumed: CampaignEvent = { type: 'CampaignResumed', data: step };
const ended: CampaignEvent = { type: 'CampaignEnded', data: { ...step, reason: 'r' } };
const completed: CampaignEvent = { type: 'CampaignCompleted', data: { ...step, reason: 'r' } };
const aborted: CampaignEvent = { type: 'CampaignAborted', data: { ...step, disposition: 'keep', reason: 'r' } };
const recalled: CampaignEvent = { type: 'CampaignAborted', data: { ...step, disposition: 'recall', reason: 'r' } };
const running = [drafted, scheduled, started];

const draft = (change: Partial<CampaignSettings> = {}): CampaignCommand => ({
  ...now,
  type: 'DraftCampaign',
  data: { ...named, ...settings, ...change },
  around,
});
const edit = (change: Partial<CampaignSettings> = {}): CampaignCommand =>
  ({ ...draft(change), type: 'EditCampaign' }) as CampaignCommand;
const schedule = (data: { start?: string; end?: string | null } = {}): CampaignCommand => ({
  ...now,
  type: 'ScheduleCampaign',
  data: { ...named, ...data },
  around,
});
const start = (now: number): CampaignCommand => ({ type: 'StartCampaign', data: named, by: 'system:clock', now });
const openWave = (waveUpTo: number): CampaignCommand => ({
  ...now,
  type: 'OpenWave',
  data: { ...named, waveUpTo },
});
const pause = (kind: 'soft' | 'hard'): CampaignCommand => ({
  ...now,
  type: 'PauseCampaign',
  data: { ...named, kind, reason: 'r' },
});
const resume: CampaignCommand = { ...now, type: 'ResumeCampaign', data: named };
const completeWith = (underWay: number): CampaignCommand => ({
  ...now,
  type: 'CompleteCampaign',
  data: { ...named, reason: 'r' },
  underWay,
});
const complete = completeWith(0);
const abort = (disposition: 'keep' | 'recall'): CampaignCommand => ({
  ...now,
  type: 'AbortCampaign',
  data: { ...named, disposition, reason: 'r' },
});

const given = specify(campaignDecider);

describe('drafting a campaign', () => {
  it('records its settings', () => given().when(draft()).then(drafted));
  it('records nothing when repeated', () => given(drafted).when(draft()).thenNothing());
  it('refuses other settings under the same id', () =>
    given(drafted)
      .when(draft({ name: 'x' }))
      .thenRefused('campaign.exists'));
  it('refuses no content', () =>
    given()
      .when(draft({ contents: [] }))
      .thenRefused('campaign.without-content'));
  it('refuses a content that is not there', () =>
    given()
      .when(draft({ contents: ['c-2'] }))
      .thenRefused('content.unknown'));
  it('refuses a withdrawn content', () =>
    given()
      .when(draft({ contents: ['c-1', 'c-old'] }))
      .thenRefused('content.withdrawn'));
  it('refuses an end before the start', () =>
    given()
      .when(draft({ start: at(2), end: at(1) }))
      .thenRefused('campaign.window-empty'));
  it('refuses an unknown channel', () =>
    given()
      .when(draft({ channel: 'beta' }))
      .thenRefused('channel.unknown'));
  it('refuses a selector that does not parse', () =>
    given()
      .when(draft({ selector: 'device.' }))
      .thenRefused('rule.parse'));
  it('refuses a selector that is over the limits together with the content’s own', () =>
    given()
      .when(draft({ selector: LONG.replaceAll('"model ', '"other ') }))
      .thenRefused('rule.too-large'));
  it('refuses a selector that names an unknown attribute', () =>
    given()
      .when(draft({ selector: 'device.colour == "red"' }))
      .thenRefused('rule.unknown-attribute'));
  it('refuses a window in no zone', () =>
    given()
      .when(draft({ windows: [{ days: [1], from: '10:00', to: '11:00', zone: 'Europe/Atlantis' }] }))
      .thenRefused('window.malformed'));
});

describe('trying a campaign again', () => {
  const retried = (parentId: string): CampaignCommand => {
    const parent = { campaignId: parentId, outcomes: ['failed' as const] };
    return { ...now, type: 'DraftCampaign', data: { ...named, ...settings, parent }, around };
  };
  it('is a draft that names it', () =>
    given()
      .when(retried('k-done'))
      .then({
        type: 'CampaignDrafted',
        data: { ...drafted.data, parent: { campaignId: 'k-done', outcomes: ['failed'] } },
      }));
  it('waits until it is over', () => given().when(retried('k-runs')).thenRefused('campaign.not-closed'));
  it('is refused of what is not there', () => given().when(retried('k-none')).thenRefused('campaign.unknown'));
});

describe('editing a campaign', () => {
  it('records the new settings', () =>
    given(drafted)
      .when(edit({ name: 'x' }))
      .then({ type: 'CampaignEdited', data: { ...named, ...settings, name: 'x', by: AUTHOR } }));
  it('records nothing when nothing changes', () => given(drafted).when(edit()).thenNothing());
  it('is refused once scheduled', () =>
    given(drafted, scheduled)
      .when(edit({ name: 'x' }))
      .thenRefused('campaign.not-draft'));
  it('is refused for what is not there', () => given().when(edit()).thenRefused('campaign.unknown'));
});

describe('scheduling a campaign', () => {
  it('waits for a start in the future', () =>
    given(drafted)
      .when(schedule({ start: at(1), end: at(5) }))
      .then(scheduled));
  it('starts at once without a start', () =>
    given(drafted)
      .when(schedule())
      .then(
        { type: 'CampaignScheduled', data: { ...step, start: at(0), end: null } },
        { type: 'CampaignStarted', data: step },
      ));
  it('takes start and end from the draft', () =>
    given({ ...drafted, data: { ...drafted.data, start: at(1), end: at(5) } })
      .when(schedule())
      .then(scheduled));
  it('records nothing when repeated', () =>
    given(...running)
      .when(schedule({ start: at(1) }))
      .thenNothing());
  it('refuses another start once scheduled', () =>
    given(...running)
      .when(schedule({ start: at(2) }))
      .thenRefused('campaign.not-draft'));
  it('refuses an end that has passed', () =>
    given(drafted)
      .when(schedule({ start: at(-2), end: at(-1) }))
      .thenRefused('campaign.window-empty'));
  it('refuses contents that were withdrawn since', () =>
    given({ ...drafted, data: { ...drafted.data, contents: ['c-old'] } })
      .when(schedule())
      .thenRefused('content.withdrawn'));
  it('refuses a content that many campaigns offer already', () =>
    given({ ...drafted, data: { ...drafted.data, contents: ['c-crowded'] } })
      .when(schedule())
      .thenRefused('campaign.content-crowded'));
  it('is refused once aborted', () => given(drafted, aborted).when(schedule()).thenRefused('campaign.not-draft'));
});

describe('the clock', () => {
  it('starts a scheduled campaign', () =>
    given(drafted, scheduled)
      .when(start(NOW + 3_600_000))
      .then(started));
  it('does not start it early', () => given(drafted, scheduled).when(start(NOW)).thenNothing());
  it('records nothing when started twice', () =>
    given(...running)
      .when(start(NOW + 3_600_000))
      .thenNothing());
  it('does not start a draft', () => given(drafted).when(start(NOW)).thenRefused('campaign.not-running'));
  it('does not start what was aborted', () =>
    given(drafted, scheduled, aborted).when(start(NOW)).thenRefused('campaign.closed'));
});

describe('a running campaign', () => {
  it('is paused', () =>
    given(...running)
      .when(pause('soft'))
      .then(paused));
  it('records nothing when paused twice', () =>
    given(...running, paused)
      .when(pause('soft'))
      .thenNothing());
  it('can be paused harder', () =>
    given(...running, paused)
      .when(pause('hard'))
      .then(pausedHard));
  it('is resumed', () =>
    given(...running, pausedHard)
      .when(resume)
      .then(resumed));
  it('records nothing when resumed twice', () =>
    given(...running, paused, resumed)
      .when(resume)
      .thenNothing());
  it('is completed', () =>
    given(...running)
      .when(complete)
      .then(ended, completed));
  it('waits a day for what is under way, and no longer: of a device that is lost nobody hears the end', () => {
    const after = (hours: number) => ({ ...completeWith(7), now: NOW + hours * 3_600_000 });
    given(...running, ended)
      .when(after(23))
      .thenNothing();
    given(...running, ended)
      .when(after(24))
      .then({ type: 'CampaignCompleted', data: { ...step, at: at(24), reason: 'r' } });
  });
  it('lets what is under way go on, and is completed when nothing is', () => {
    given(...running)
      .when(completeWith(7))
      .then(ended);
    given(...running, ended)
      .when(completeWith(7))
      .thenNothing();
    given(...running, ended)
      .when(complete)
      .then(completed);
  });
  it('records nothing when completed twice', () =>
    given(...running, completed)
      .when(complete)
      .thenNothing());
  it('is aborted', () =>
    given(...running)
      .when(abort('keep'))
      .then(aborted));
  it('records nothing when aborted twice', () =>
    given(...running, aborted)
      .when(abort('keep'))
      .thenNothing());
  it('can be recalled after it was aborted', () =>
    given(...running, aborted)
      .when(abort('recall'))
      .then(recalled));
  it('stays recalled', () =>
    given(...running, recalled)
      .when(abort('keep'))
      .thenNothing());
  it('opens a wider wave', () => {
    const narrow = { ...drafted, data: { ...drafted.data, waveUpTo: 100 } } as CampaignEvent;
    given(narrow, scheduled, started)
      .when(openWave(500))
      .then({ type: 'WaveOpened', data: { ...step, waveUpTo: 500 } });
  });
  it('records nothing for the wave that is open', () =>
    given(...running)
      .when(openWave(10_000))
      .thenNothing());
  it('opens no wave before it is scheduled: a draft is edited', () =>
    given(drafted).when(openWave(10_000)).thenRefused('campaign.not-running'));
  it('does not narrow a wave', () =>
    given(...running)
      .when(openWave(5))
      .thenRefused('campaign.wave-narrower'));
});

describe('a campaign that does not run', () => {
  it('is not paused while scheduled', () =>
    given(drafted, scheduled).when(pause('soft')).thenRefused('campaign.not-running'));
  it('is not resumed while scheduled', () => given(drafted, scheduled).when(resume).thenRefused('campaign.not-paused'));
  it('is not completed as a draft', () => given(drafted).when(complete).thenRefused('campaign.not-running'));
  it('is not paused once completed', () =>
    given(...running, completed)
      .when(pause('soft'))
      .thenRefused('campaign.closed'));
  it('is not resumed once aborted', () =>
    given(...running, aborted)
      .when(resume)
      .thenRefused('campaign.closed'));
  it('is not completed once aborted', () =>
    given(...running, aborted)
      .when(complete)
      .thenRefused('campaign.closed'));
  it('is not aborted once completed', () =>
    given(...running, completed)
      .when(abort('keep'))
      .thenRefused('campaign.closed'));
  it('gets no wave once completed', () =>
    given(...running, completed)
      .when(openWave(10_000))
      .thenRefused('campaign.closed'));
});

describe('a review', () => {
  const by = (who: string) => ({ by: `person:${who}`, now: NOW });
  const submit = (approvals = 1): CampaignCommand => ({
    ...now,
    type: 'SubmitCampaign',
    data: named,
    around: { approvals },
  });
  const approve = (who: string): CampaignCommand => ({
    ...by(who),
    type: 'ApproveCampaign',
    data: { ...named, remark: '' },
  });
  const reject: CampaignCommand = { ...by('b'), type: 'RejectCampaign', data: { ...named, reason: 'no' } };
  const submitted = (required: number): CampaignEvent => ({
    type: 'CampaignSubmitted',
    data: { ...named, by: AUTHOR, required, report: null },
  });
  const approved = (who: string, remaining: number): CampaignEvent => ({
    type: 'CampaignApproved',
    data: { ...named, by: `person:${who}`, remark: '', remaining },
  });
  const edited = (who: string): CampaignEvent => ({
    type: 'CampaignEdited',
    data: { ...named, ...settings, name: 'x', by: `person:${who}` },
  });
  const underPolicy = { ...schedule(), around: { ...around, approvals: 2 } } as CampaignCommand;

  it('is asked for, by one person at least', () => given(drafted).when(submit(0)).then(submitted(1)));
  it('records nothing when asked for twice', () => given(drafted, submitted(1)).when(submit()).thenNothing());
  it('is asked for of drafts alone', () =>
    given(...running)
      .when(submit())
      .thenRefused('campaign.not-draft'));
  it('counts who still has to approve', () => {
    given(drafted, submitted(2)).when(approve('b')).then(approved('b', 1));
    given(drafted, submitted(2), approved('b', 1)).when(approve('c')).then(approved('c', 0));
  });
  it('counts nobody twice', () => given(drafted, submitted(2), approved('b', 1)).when(approve('b')).thenNothing());
  it('is by nobody who has a hand in it: who drafted it', () =>
    given(drafted, submitted(1)).when(approve('author')).thenRefused('campaign.own'));
  it('is by nobody who has a hand in it: who edited it', () =>
    given(drafted, edited('b'), submitted(1)).when(approve('b')).thenRefused('campaign.own'));
  it('is void after any edit', () => {
    given(drafted, submitted(1), approved('b', 0), edited('author'))
      .when(underPolicy)
      .thenRefused('campaign.not-approved');
    given(drafted, submitted(1), approved('b', 0), edited('author'))
      .when(approve('c'))
      .thenRefused('campaign.not-in-review');
  });
  it('gives it back', () =>
    given(drafted, submitted(1))
      .when(reject)
      .then({ type: 'CampaignRejected', data: { ...named, by: 'person:b', reason: 'no' } }));
  it('comes before the schedule where the policy asks for it', () => {
    given(drafted).when(underPolicy).thenRefused('campaign.not-approved');
    given(drafted, submitted(2), approved('b', 1)).when(underPolicy).thenRefused('campaign.not-approved');
    given(drafted, submitted(2), approved('b', 1), approved('c', 0))
      .when(underPolicy)
      .then(
        { type: 'CampaignScheduled', data: { ...step, start: at(0), end: null } },
        { type: 'CampaignStarted', data: step },
      );
  });
  it('is waited for by whoever has asked for one, whatever the policy', () =>
    given(drafted, submitted(1)).when(schedule()).thenRefused('campaign.not-approved'));
});

describe('a halted campaign', () => {
  const fired = { rule: { on: 'failed' as const, share: 0.1, minimum: 5 }, count: 3, responded: 20 };
  const system = { by: 'system:supervisor', now: NOW };
  const tally = { ...NO_TALLY, confirmed: 17, failed: 3 };
  const halt: CampaignCommand = {
    ...system,
    type: 'HaltCampaign',
    data: { ...named, tally, cause: 'stop-rule', fired },
  };
  const late: CampaignCommand = {
    ...system,
    type: 'HaltCampaign',
    data: { ...named, tally, cause: 'wave-timeout', responded: 4 },
  };
  const halted: CampaignEvent = { type: 'CampaignHalted', data: { ...named, cause: 'stop-rule', ...fired, tally } };

  it('says which rule fired, and what it saw', () =>
    given(...running)
      .when(halt)
      .then(halted));
  it('says that its wave took too long', () =>
    given(...running)
      .when(late)
      .then({
        type: 'CampaignHalted',
        data: { ...named, cause: 'wave-timeout', rule: null, count: 0, responded: 4, tally },
      }));
  it('is halted once, and not when it is paused already', () => {
    given(...running, halted)
      .when(halt)
      .thenNothing();
    given(...running, paused)
      .when(halt)
      .thenNothing();
  });
  it('goes on by a person with a reason alone', () => {
    given(...running, halted)
      .when(resume)
      .thenRefused('campaign.reason-missing');
    given(...running, halted)
      .when({ ...now, type: 'ResumeCampaign', data: { ...named, reason: 'known defect' } })
      .then({ type: 'CampaignResumed', data: { ...step, reason: 'known defect' } });
  });
  it('can be paused hard, which stops what is under way, too', () => {
    given(...running, halted)
      .when(pause('hard'))
      .then(pausedHard);
    given(...running, halted)
      .when(pause('soft'))
      .thenRefused('campaign.not-running');
  });
  it('opens no wave', () =>
    given(...running, halted)
      .when(openWave(10_000))
      .thenRefused('campaign.halted'));
  it('can be aborted', () =>
    given(...running, halted)
      .when(abort('keep'))
      .then(aborted));
});

describe('taking a step back', () => {
  const undo = (minutes: number): CampaignCommand => ({
    by: 'person:b',
    now: NOW + minutes * 60_000,
    type: 'UndoStep',
    data: { ...named, reason: 'slip' },
  });
  const before = {
    status: 'running',
    pause: null,
    recalled: false,
    start: at(1),
    end: at(5),
    waveUpTo: 10_000,
    waveOpenedAt: at(1),
  } as const;
  const undone = (step: string, standing: object = {}): CampaignEvent => ({
    type: 'CampaignStepUndone',
    data: { ...named, by: 'person:b', step, reason: 'slip', ...before, ...standing },
  });

  it('brings back how it stood', () => {
    given(...running, paused)
      .when(undo(5))
      .then(undone('CampaignPaused'));
    given(...running, aborted)
      .when(undo(1))
      .then(undone('CampaignAborted'));
    given(...running, paused, aborted)
      .when(undo(1))
      .then(undone('CampaignAborted', { status: 'paused', pause: 'soft' }));
  });
  it('takes a start along that came with the schedule', () => {
    const [scheduledNow, startedNow] = [
      { type: 'CampaignScheduled', data: { ...step, start: at(0), end: null } },
      { type: 'CampaignStarted', data: step },
    ] as CampaignEvent[];
    given(drafted, scheduledNow!, startedNow!)
      .when(undo(1))
      .then(undone('CampaignScheduled', { status: 'draft', start: null, end: null, waveOpenedAt: null }));
  });
  it('takes an end and its completion along', () => {
    given(...running, ended, completed)
      .when(undo(1))
      .then(undone('CampaignEnded'));
    given(...running, ended)
      .when(undo(1))
      .then(undone('CampaignEnded'));
  });
  it('does not call a recall back', () =>
    given(...running, recalled)
      .when(undo(1))
      .thenRefused('campaign.nothing-to-undo'));
  it('brings no judgement back that an edit has made void', () => {
    const edited: CampaignEvent = { type: 'CampaignEdited', data: { ...named, ...settings, name: 'x', by: AUTHOR } };
    const opened: CampaignEvent = { type: 'WaveOpened', data: { ...step, waveUpTo: 10_000 } };
    given(drafted, opened, edited).when(undo(1)).thenRefused('campaign.nothing-to-undo');
  });
  it('is for five minutes', () =>
    given(...running, paused)
      .when(undo(6))
      .thenRefused('campaign.undo-late'));
  it('is of the last step alone, and once', () =>
    given(...running, paused, undone('CampaignPaused'))
      .when(undo(1))
      .thenRefused('campaign.nothing-to-undo'));
  it('is of people’s steps alone', () =>
    given(...running)
      .when(undo(61))
      .thenRefused('campaign.nothing-to-undo'));
});

describe('the settings of a campaign', () => {
  const gate = { minimum: 1, success: 0.5, timeoutMinutes: 1 };
  it.each<[string, Partial<CampaignSettings>, string]>([
    [
      'waves that do not widen',
      {
        waveUpTo: 100,
        waves: [
          { upTo: 100, gate },
          { upTo: 100, gate: null },
        ],
      },
      'campaign.waves',
    ],
    [
      'waves that leave devices out',
      {
        waveUpTo: 100,
        waves: [
          { upTo: 100, gate },
          { upTo: 9_000, gate: null },
        ],
      },
      'campaign.waves',
    ],
    ['a gate behind which nothing comes', { waves: [{ upTo: 10_000, gate }] }, 'campaign.waves'],
    ['another first wave than is open', { waveUpTo: 5, waves: [{ upTo: 10_000, gate: null }] }, 'campaign.waves'],
    ['a cap of nothing', { caps: { transfers: 0, bytesPerSecond: null, bytesPerDay: null } }, 'campaign.caps'],
    [
      'windows that open at no hour of it',
      { start: at(0), end: at(5), windows: [{ days: [6], from: '10:00', to: '11:00', zone: 'UTC' }] },
      'campaign.window-shut',
    ],
  ])('are refused with %s', (_, change, code) => given().when(draft(change)).thenRefused(code));

  it.each<[string, Partial<CampaignSettings>]>([
    [
      'waves that come to all but the hold-out',
      {
        holdOut: 500,
        waveUpTo: 100,
        waves: [
          { upTo: 100, gate },
          { upTo: 9_500, gate: null },
        ],
      },
    ],
    [
      'a window in the device’s own zone',
      { start: at(0), end: at(5), windows: [{ days: [6], from: '10:00', to: '11:00', zone: 'device' }] },
    ],
  ])('may have %s', (_, change) => {
    const data = { ...named, ...settings, ...change, by: AUTHOR, parent: null };
    given().when(draft(change)).then({ type: 'CampaignDrafted', data });
  });
});

describe('a content', () => {
  const data = {
    contentId: 'c-1',
    description: { name: 'n', version: '1', mediaType: 'text/plain', sizeBytes: 5, attributes: {} },
    selector: 'device.model == "a"',
    sha256: 'ab',
    sizeBytes: 5,
  };
  const published: ContentEvent = { type: 'ContentPublished', data };
  const publish = { type: 'PublishContent' as const, data, schema: around.schema };
  const withdraw = { type: 'WithdrawContent' as const, data: { contentId: 'c-1', reason: 'r' } };
  const withdrawn: ContentEvent = { type: 'ContentWithdrawn', data: withdraw.data };
  const givenContent = specify(contentDecider);

  it('is published', () => givenContent().when(publish).then(published));
  it('records nothing when published twice', () => givenContent(published).when(publish).thenNothing());
  it('does not change under its id', () =>
    givenContent(published)
      .when({ ...publish, data: { ...data, sha256: 'cd' } })
      .thenRefused('content.exists'));
  it('is refused with a selector of unknown attributes', () =>
    givenContent()
      .when({ ...publish, schema: EMPTY_SCHEMA })
      .thenRefused('rule.unknown-attribute'));
  it('is withdrawn', () => givenContent(published).when(withdraw).then(withdrawn));
  it('records nothing when withdrawn twice', () => givenContent(published, withdrawn).when(withdraw).thenNothing());
  it('cannot be withdrawn before it is there', () => givenContent().when(withdraw).thenRefused('content.unknown'));
});

describe('schema and rules', () => {
  const schemaOf = (version: number, names: string[]) => ({
    version,
    attributes: Object.fromEntries(names.map((name) => [name, { type: 'string' as const }])),
  });
  const publishSchema = (schema: object) => ({ type: 'PublishSchema' as const, data: { schema } });
  const first = { type: 'AttributeSchemaPublished' as const, data: { version: 1, schema: schemaOf(1, ['a']) } };
  const givenSchema = specify(schemaDecider);

  it('begin with version 1', () =>
    givenSchema()
      .when(publishSchema(schemaOf(2, ['a'])))
      .thenRefused('schema.not-next'));
  it('record a schema', () =>
    givenSchema()
      .when(publishSchema(schemaOf(1, ['a'])))
      .then(first));
  it('record nothing when it is repeated', () =>
    givenSchema(first)
      .when(publishSchema(schemaOf(1, ['a'])))
      .thenNothing());
  it('refuse a schema that drops an attribute', () =>
    givenSchema(first)
      .when(publishSchema(schemaOf(2, ['b'])))
      .thenRefused('schema.not-additive'));

  const publishRules = (rules: object) => ({
    type: 'PublishRules' as const,
    data: { channel: 'main', rules: rules as typeof FIRST_RULES },
    schema: around.schema,
  });
  const givenRules = specify(rulesDecider);
  const firstRules = { type: 'RuleSetPublished' as const, data: { channel: 'main', version: 1, rules: FIRST_RULES } };

  it('record the first rules of a channel', () => givenRules().when(publishRules(FIRST_RULES)).then(firstRules));
  it('refuse rules that skip a version', () =>
    givenRules(firstRules)
      .when(publishRules({ version: 3, rules: [] }))
      .thenRefused('rules.not-next'));
  it('refuse rules that are none', () =>
    givenRules(firstRules)
      .when(publishRules({ version: 2, rules: [{ id: 'X' }] }))
      .thenRefused('rule-set.malformed'));
});
