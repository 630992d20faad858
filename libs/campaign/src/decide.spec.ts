import { describe, it } from 'vitest';
import { specify } from '#event-log/testing.js';
import { contentDecider } from './content.js';
import { campaignDecider, type CampaignCommand } from './decide.js';
import type { CampaignEvent, CampaignSettings, ContentEvent } from './events.js';
import type { Surroundings } from './settings.js';
import { EMPTY_SCHEMA, FIRST_RULES, rulesDecider, schemaDecider } from './vocabulary.js';

const NOW = Date.parse('2026-11-24T09:00:00.000Z');
const at = (hours: number): string => new Date(NOW + hours * 3_600_000).toISOString();
const campaignId = 'k-1';
const named = { campaignId };

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
};
const around: Surroundings = {
  schema: { version: 1, attributes: { model: { type: 'string' } } },
  contentOf: (id) =>
    ({ 'c-1': 'published' as const, 'c-crowded': 'published' as const, 'c-old': 'withdrawn' as const })[id],
  offersOf: (id) => (id === 'c-crowded' ? 20 : 0),
  channels: new Set(['main']),
};

const drafted: CampaignEvent = { type: 'CampaignDrafted', data: { ...named, ...settings } };
const scheduled: CampaignEvent = { type: 'CampaignScheduled', data: { ...named, start: at(1), end: at(5) } };
const started: CampaignEvent = { type: 'CampaignStarted', data: named };
const paused: CampaignEvent = { type: 'CampaignPaused', data: { ...named, kind: 'soft', reason: 'r' } };
const pausedHard: CampaignEvent = { type: 'CampaignPaused', data: { ...named, kind: 'hard', reason: 'r' } };
const resumed: CampaignEvent = { type: 'CampaignResumed', data: named };
const completed: CampaignEvent = { type: 'CampaignCompleted', data: { ...named, reason: 'r' } };
const aborted: CampaignEvent = { type: 'CampaignAborted', data: { ...named, disposition: 'keep', reason: 'r' } };
const recalled: CampaignEvent = { type: 'CampaignAborted', data: { ...named, disposition: 'recall', reason: 'r' } };
const running = [drafted, scheduled, started];

const draft = (change: Partial<CampaignSettings> = {}): CampaignCommand => ({
  type: 'DraftCampaign',
  data: { ...named, ...settings, ...change },
  around,
});
const edit = (change: Partial<CampaignSettings> = {}): CampaignCommand =>
  ({ ...draft(change), type: 'EditCampaign' }) as CampaignCommand;
const schedule = (data: { start?: string; end?: string | null } = {}): CampaignCommand => ({
  type: 'ScheduleCampaign',
  data: { ...named, ...data },
  around,
  now: NOW,
});
const start = (now: number): CampaignCommand => ({ type: 'StartCampaign', data: named, now });
const openWave = (waveUpTo: number): CampaignCommand => ({ type: 'OpenWave', data: { ...named, waveUpTo } });
const pause = (kind: 'soft' | 'hard'): CampaignCommand => ({
  type: 'PauseCampaign',
  data: { ...named, kind, reason: 'r' },
});
const resume: CampaignCommand = { type: 'ResumeCampaign', data: named };
const complete: CampaignCommand = { type: 'CompleteCampaign', data: { ...named, reason: 'r' } };
const abort = (disposition: 'keep' | 'recall'): CampaignCommand => ({
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
  it('refuses a selector that names an unknown attribute', () =>
    given()
      .when(draft({ selector: 'device.colour == "red"' }))
      .thenRefused('rule.unknown-attribute'));
  it('refuses a window in no zone', () =>
    given()
      .when(draft({ windows: [{ days: [1], from: '10:00', to: '11:00', zone: 'Europe/Atlantis' }] }))
      .thenRefused('window.malformed'));
});

describe('editing a campaign', () => {
  it('records the new settings', () =>
    given(drafted)
      .when(edit({ name: 'x' }))
      .then({ type: 'CampaignEdited', data: { ...named, ...settings, name: 'x' } }));
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
      .then({ type: 'CampaignScheduled', data: { ...named, start: at(0), end: null } }, started));
  it('takes start and end from the draft', () =>
    given({ ...drafted, data: { ...named, ...settings, start: at(1), end: at(5) } })
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
    given({ ...drafted, data: { ...named, ...settings, contents: ['c-old'] } })
      .when(schedule())
      .thenRefused('content.withdrawn'));
  it('refuses a content that many campaigns offer already', () =>
    given({ ...drafted, data: { ...named, ...settings, contents: ['c-crowded'] } })
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
      .then(completed));
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
    const narrow = { ...drafted, data: { ...named, ...settings, waveUpTo: 100 } } as CampaignEvent;
    given(narrow)
      .when(openWave(500))
      .then({ type: 'WaveOpened', data: { ...named, waveUpTo: 500 } });
  });
  it('records nothing for the wave that is open', () =>
    given(...running)
      .when(openWave(10_000))
      .thenNothing());
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
