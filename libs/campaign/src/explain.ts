import type { OfferRef } from '#device-protocol/index.js';
import {
  DEVICE_ZONE,
  type ExplainedGate,
  type ExplainedOffer,
  type ExplainedRule,
  type GateName,
  type ShownValue,
  throughAll,
  type Truth,
} from '#matching/index.js';
import { checkOf, type TenantBoard } from './board.js';
import type { CampaignState } from './campaign.js';
import type { CampaignSettings } from './events.js';
import { RuleExplainer, type Reported, type Telling } from './explain-rule.js';
import {
  bucketFor,
  cataloguePriority,
  conjunction,
  type HeldBack,
  isLetGoOn,
  isOffered,
  isOpen,
  isSelected,
  isZoneNeeded,
  type MatchingSide,
  MOMENTARY,
  type OpenCheck,
  type Question,
  STANDING,
} from './offers.js';
import { outcomeOfAll } from './outcomes.js';
import { inOrder } from './precedence.js';
import { offerIn } from './selection.js';
import { declineOf, historyOf, type PastFact, progressOf, takenBy } from './past.js';

/** What is known of a device at a moment. */
export interface KnownDevice {
  deviceId: string;
  channel: string;
  status: 'active' | 'revoked' | 'forgotten';
  told: Telling;
  /** The side on which it compares, where that is known; otherwise it is whichever the campaign wants. */
  side?: MatchingSide;
  /** Its facts of any campaign, in the order in which they came. */
  past: readonly PastFact[];
}

export interface Moment {
  /** ms */
  now: number;
  /** What conflict groups, and behind them the caps, say to an offer that all gates before let through; `not-kept`: of then nobody knows. */
  admission: (ref: OfferRef) => HeldBack | 'not-kept' | undefined;
  maySeePersonal?: boolean;
  /** Absent: with them. */
  withConditions?: boolean;
}

interface Asked {
  ref: OfferRef;
  check: OpenCheck;
  device: KnownDevice;
  moment: Moment;
  side: MatchingSide;
  rule: ExplainedRule;
}

type Values = Readonly<Record<string, ShownValue | null>>;

/** Says of offers why a device gets them or not, by the functions that decide it; made anew when the board has changed. */
export class Explainer {
  private readonly rules: RuleExplainer;
  /** One text for each pair: a text that is put together anew is hashed anew where it is looked up. */
  private readonly selectors = new Map<CampaignSettings, Map<string, string>>();
  private byContent: ReadonlyMap<string, readonly Rival[]> | undefined;

  constructor(private readonly board: TenantBoard) {
    this.rules = new RuleExplainer(board.schema);
  }

  /** @returns undefined while the campaign or the content is not there */
  offer(device: KnownDevice, ref: OfferRef, moment: Moment): ExplainedOffer | undefined {
    const asked = this.ask(device, ref, moment);
    if (asked === undefined) return undefined;
    const gates = [...this.before(asked), this.precedence(asked), ...admissionGates(asked)];
    return {
      ...ref,
      ...throughAll(gates),
      gates,
      rule: asked.rule,
      history: historyOf(device.past, ref),
    };
  }

  private ask(device: KnownDevice, ref: OfferRef, moment: Moment): Asked | undefined {
    const { told, deviceId, channel, past } = device;
    const settings = this.board.campaigns.get(ref.campaignId)?.settings;
    if (!settings) return undefined;
    const side = device.side ?? sideOf(settings, told);
    const zone = side === 'server' && typeof told !== 'string' ? told.zone : undefined;
    const isUnderWay = takenBy(past, ref)?.campaignId === ref.campaignId;
    const check = checkOf(this.board, { deviceId, channel, side, zone, isUnderWay }, ref, moment.now);
    if (!isOpen(check) || check.content.published === null) return undefined;
    const { maySeePersonal = true, withConditions = true } = moment;
    const rule = this.rules.explain(this.selectorOf(settings, check.content.published), {
      side,
      told,
      reported: reportedOf(past, ref),
      maySeePersonal,
      withConditions,
    });
    return { ref, check, device, moment, side, rule };
  }

  private selectorOf(
    settings: CampaignSettings,
    { contentId, selector }: { contentId: string; selector: string },
  ): string {
    const known = this.selectors.get(settings) ?? new Map<string, string>();
    const made = known.get(contentId) ?? conjunction(selector, settings.selector);
    if (!known.has(contentId)) this.selectors.set(settings, known.set(contentId, made));
    return made;
  }

  /** All that bring a content. */
  private bringing(contentId: string): readonly Rival[] {
    this.byContent ??= rivalsByContent(this.board);
    return this.byContent.get(contentId) ?? [];
  }

  /** All that is asked of an offer by itself. */
  private before(asked: Asked): ExplainedGate[] {
    const { ref, check, device, side } = asked;
    const isOn = isLetGoOn(check);
    const momentary = MOMENTARY.map((question) => (isOn ? letGoOn(question) : gateFor(question, asked)));
    return [
      gate('known', device.status === 'active', { status: device.status }, 'server'),
      ...STANDING.map((question) => gateFor(question, asked)),
      ...momentary.slice(0, -1),
      ruleGate(asked.rule),
      momentary.at(-1)!, // a window comes behind the rule: what fits can wait for it
      takenGate(device.past, ref),
      declinedGate(device.past, ref, side),
      this.retry(asked),
    ];
  }

  /** A campaign that is tried again is for those of whom became what it says. */
  private retry({ check, device, moment }: Asked): ExplainedGate {
    const { parent } = check.campaign;
    const before = parent && this.board.campaigns.get(parent.campaignId)?.settings;
    if (!parent || !before) return gate('retry', true, { parent: null }, 'campaign');
    const outcome = outcomeOfAll(progressOf(device.past, parent.campaignId), before.timeouts, moment.now);
    const isFor = outcome !== undefined && parent.outcomes.includes(outcome);
    return gate(
      'retry',
      isFor,
      { parent: parent.campaignId, for: parent.outcomes, outcome: outcome ?? null },
      'server',
    );
  }

  /** Of several campaigns that bring one content the first in the order of precedence does, unless something holds it back. */
  private precedence({ ref, check, device, moment, side }: Asked): ExplainedGate {
    const isBefore = beforeBy(side, moment.now);
    const earlier = this.bringing(ref.contentId).filter(([campaignId, state]) => {
      if (campaignId === ref.campaignId || !isRival(state, side)) return false;
      if (state.settings!.channel !== device.channel) return false;
      return isBefore([campaignId, state.settings!], [ref.campaignId, check.campaign.settings]);
    });
    const standing = earlier.map(([campaignId]) => {
      const rival = { ...ref, campaignId };
      return { campaignId, offered: this.alone(device, rival, { ...moment, withConditions: false }) };
    });
    const first = standing.find(({ offered }) => offered === true) ?? standing.find(({ offered }) => offered !== false);
    const passes = first === undefined ? true : first.offered === true ? false : 'unknown';
    const because = passes === 'unknown' && side === 'device' ? ({ because: 'not-knowable' } as const) : {};
    return { ...gate('precedence', passes, { behind: first?.campaignId ?? null }, 'computed'), ...because };
  }

  private alone(device: KnownDevice, ref: OfferRef, moment: Moment): Truth {
    const asked = this.ask(device, ref, moment);
    return asked === undefined ? false : throughAll([...this.before(asked), ...admissionGates(asked)]).offered;
  }
}

type Rival = readonly [campaignId: string, state: CampaignState];

function rivalsByContent({ campaigns }: TenantBoard): Map<string, Rival[]> {
  const found = new Map<string, Rival[]>();
  for (const rival of campaigns)
    for (const contentId of rival[1].settings?.contents ?? [])
      found.set(contentId, [...(found.get(contentId) ?? []), rival]);
  return found;
}

const isRival = (state: CampaignState, side: MatchingSide): boolean =>
  side === 'server' ? isSelected(state) : isOffered(state);

type Entry = readonly [campaignId: string, settings: CampaignSettings];

/** The catalogue says class and weight in one number, and nothing of age. */
const beforeBy =
  (side: MatchingSide, now: number) =>
  ([idA, a]: Entry, [idB, b]: Entry): boolean =>
    side === 'server'
      ? inOrder(now)(offerIn('', idA, a), offerIn('', idB, b)) < 0
      : cataloguePriority(a) > cataloguePriority(b);

/** Whoever may compare: the server where it has been told, or where nobody else does. */
const sideOf = ({ mode }: CampaignSettings, told: Telling): MatchingSide =>
  mode === 'either' ? (told === 'not-told' ? 'device' : 'server') : mode;

function gate(
  name: GateName,
  passes: Truth,
  value: Values,
  source: ExplainedGate['source'],
  at: string | null = null,
): ExplainedGate {
  return { gate: name, passes, value, source, at };
}

/** What each question looks at, and who says so. */
const LOOKED_AT: Readonly<Partial<Record<GateName, (asked: Asked) => Values>>> = {
  channel: ({ check, device }) => ({ campaign: check.campaign.settings.channel, device: device.channel }),
  mode: ({ check, side }) => ({ mode: check.campaign.settings.mode, compared: side }),
  offered: ({ check }) => ({ status: check.campaign.status }),
  withdrawn: ({ check }) => ({ withdrawn: check.content.withdrawn }),
  ended: ({ check }) => ({ status: check.campaign.status, end: check.campaign.settings.end }),
  paused: ({ check }) => ({ status: check.campaign.status, pause: check.campaign.pause }),
  'not-started': ({ check }) => ({ start: check.campaign.settings.start }),
  'not-running': ({ check }) => ({ status: check.campaign.status }),
  'hold-out': ({ check }) => ({ bucket: bucketFor(check), holdOut: check.campaign.settings.holdOut }),
  wave: ({ check }) => ({ bucket: bucketFor(check), waveUpTo: check.campaign.settings.waveUpTo }),
  // Where a device is at home is personal, as all that it tells.
  window: ({ check, moment: { maySeePersonal = true } }) => ({
    windows: check.campaign.settings.windows.length,
    zone: maySeePersonal ? (check.zone ?? null) : null,
  }),
};
const COMPUTED: ReadonlySet<GateName> = new Set(['hold-out', 'wave', 'window']);

function gateFor({ name, held }: Question, asked: Asked): ExplainedGate {
  const back = held(asked.check);
  const value =
    asked.moment.withConditions === false
      ? NOTHING
      : { ...LOOKED_AT[name]?.(asked), ...(tellsZone(name, asked) ? {} : waiting(back)) };
  const made = gate(name, back === undefined, value, COMPUTED.has(name) ? 'computed' : 'campaign');
  if (name !== 'window' || !isZoneNeeded(asked.check)) return made;
  return {
    ...made,
    passes: 'unknown',
    because: asked.side === 'device' ? 'not-knowable' : unknownOf(asked.device.told),
  };
}

/** When a window of the device's own zone opens says which zone that is, to who may not see it. */
const tellsZone = (name: GateName, { check, moment: { maySeePersonal = true } }: Asked): boolean =>
  name === 'window' && !maySeePersonal && check.campaign.settings.windows.some(({ zone }) => zone === DEVICE_ZONE);

const NOTHING: Values = {};

/** When it opens, where that is known. */
const waiting = (held: HeldBack | undefined): Values =>
  held?.retryAfterSeconds === undefined ? {} : { opensInSeconds: held.retryAfterSeconds };

const unknownOf = (told: Telling): 'erased' | 'not-told' => (told === 'erased' ? told : 'not-told');

/** What it was granted before goes on while the campaign drains. */
const letGoOn = ({ name }: Question): ExplainedGate => gate(name, true, { underWay: true }, 'server');

function ruleGate({ result, because, source, at }: ExplainedRule): ExplainedGate {
  return {
    ...gate('no-fit', result, {}, source, at),
    ...(because === undefined ? {} : { because }),
    ...missingIsFalse(result, because),
  };
}

/** A rule that cannot say because an attribute is missing does not fit; one that nobody here can ask may. */
const missingIsFalse = (result: Truth, because: ExplainedRule['because']): Partial<ExplainedGate> =>
  result === 'unknown' && because === 'missing' ? { passes: false } : {};

/** What it has, it says when it asks, and is not given again: by whichever campaign it came. */
function takenGate(past: readonly PastFact[], { contentId, campaignId }: OfferRef): ExplainedGate {
  const taken = takenBy(past, { contentId, campaignId });
  if (taken === undefined) return gate('taken', true, { by: null }, 'server');
  return gate('taken', false, { by: taken.campaignId, event: taken.event }, 'server', taken.at);
}

function declinedGate(past: readonly PastFact[], ref: OfferRef, side: MatchingSide): ExplainedGate {
  const declined = declineOf(past, ref, side);
  if (declined === undefined) return gate('declined', true, { reason: null }, 'device');
  return gate('declined', false, { reason: declined.code }, 'device', declined.at);
}

/** The device asked for it, or said that it does not fit. */
function reportedOf(past: readonly PastFact[], { contentId, campaignId }: OfferRef): Reported | undefined {
  const said = past.filter((fact) => fact.contentId === contentId && fact.campaignId === campaignId);
  const last = said.findLast(({ event, code }) =>
    event === 'ContentDeclined' ? code === 'no-fit' : event === 'ContentRequested' || event === 'ContentMatched',
  );
  return last && { fits: last.event !== 'ContentDeclined', at: last.at };
}

/** Of both only the first that holds is known: behind a conflict nobody asks the caps. */
function admissionGates({ ref, check, moment }: Asked): ExplainedGate[] {
  const { conflictGroup, caps } = check.campaign.settings;
  const held = moment.admission(ref);
  const conflict = { group: conflictGroup };
  const limits = { transfers: caps.transfers, bytesPerSecond: caps.bytesPerSecond, bytesPerDay: caps.bytesPerDay };
  if (held === 'not-kept') {
    const then = (name: GateName, value: Values, isThere: boolean): ExplainedGate =>
      isThere
        ? { ...gate(name, 'unknown', value, 'server'), because: 'not-kept' }
        : gate(name, true, value, 'campaign');
    const isCapped = Object.values(limits).some((limit) => limit !== null);
    return [then('conflict', conflict, conflictGroup !== null), then('cap', limits, isCapped)];
  }
  const isConflict = held?.gate === 'conflict';
  const cap = gate('cap', held?.gate !== 'cap', { ...limits, ...waiting(held) }, 'server');
  return [
    gate('conflict', !isConflict, conflict, 'server'),
    isConflict ? { ...cap, passes: 'unknown', because: 'not-asked' } : cap,
  ];
}
