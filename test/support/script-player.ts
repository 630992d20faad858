import type { CatalogueEvent, DeviceFactByServer } from '#campaign/events.js';
import { campaignDecider, type ContentCommand, contentDecider, EMPTY_SCHEMA, packPolls } from '#campaign/index.js';
import {
  type Database,
  type EventContext,
  execute,
  type Fact,
  type Keyring,
  partitionOf,
  type PostgresLog,
} from '#event-log/index.js';
import type { HandsetEvent } from '#identity/events.js';
import { handset } from '#identity/testing.js';
import { DomainError, newId } from '#runtime/index.js';
import type { Step } from './command-script.js';
import {
  answered,
  campaignCommand,
  CHANNELS,
  DIGESTS,
  handsetCommand,
  idOf,
  labelOf,
  pick,
  TENANTS,
  told,
} from './script-commands.js';

/** Ways in: the log and the keys as one actor has them, and the clock of both. */
export interface Stage {
  log: PostgresLog;
  database: Database;
  keyring: Keyring;
  clock: { ms: number };
}

type Of<Kind extends Step['kind']> = Extract<Step, { kind: Kind }>;
type Happened = readonly { type: string }[];

/** Plays scripts against a log, by the deciders that the services use. */
export class ScriptPlayer {
  /** How often each type of event was appended, and each code of a refusal given. */
  readonly counts = new Map<string, number>();
  /** Labels of forgotten devices. */
  readonly forgotten = new Set<string>();
  private readonly contents = new Map<string, 'published' | 'withdrawn'>();
  /** A server process numbers the facts of each partition. */
  private readonly numbers = new Map<number, number>();

  constructor(private readonly stage: Stage) {}

  /** A command that is refused, as many of random ones are, changes nothing. */
  async play(step: Step): Promise<void> {
    this.stage.clock.ms += 1_000 * step.twist;
    try {
      for (const { type } of await this.carryOut(step, pick(TENANTS, step.tenant))) this.count(type);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      this.count(String(error.code));
    }
  }

  private count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  private carryOut(step: Step, tenant: string): Promise<Happened> {
    switch (step.kind) {
      case 'content':
        return this.content(step, tenant);
      case 'campaign':
        return this.campaign(step, tenant);
      case 'handset':
        return this.handset(step, tenant);
      case 'catalogue':
        return this.catalogue(step, tenant);
      case 'polls':
        return this.polls(step, tenant);
      case 'facts':
        return this.facts(step, tenant);
    }
  }

  private async content({ content, command: type, twist }: Of<'content'>, tenant: string): Promise<Happened> {
    const contentId = idOf('content', content);
    const description = { name: 'radio', version: '1', mediaType: 'a/b', sizeBytes: 5, attributes: {} };
    const command: ContentCommand =
      type === 'WithdrawContent'
        ? { type, data: { contentId, reason: `reason ${twist}` } }
        : {
            type,
            data: { contentId, description, selector: 'true', sha256: '5e'.repeat(32), sizeBytes: 5 },
            schema: EMPTY_SCHEMA,
          };
    const done = await execute(this.stage.log, contentDecider, { subject: contentId }, command, by(tenant));
    this.contents.set(`${tenant}/${contentId}`, done.state.withdrawn ? 'withdrawn' : 'published');
    return done.events;
  }

  private async campaign({ campaign, command, twist }: Of<'campaign'>, tenant: string): Promise<Happened> {
    const subject = idOf('campaign', campaign);
    const around = {
      schema: EMPTY_SCHEMA,
      contentOf: (contentId: string) => this.contents.get(`${tenant}/${contentId}`),
      selectorOf: () => 'true',
      offersOf: () => 0,
      channels: new Set<string>(CHANNELS),
      approvals: 0,
      statusOf: () => undefined,
    };
    const order = campaignCommand({ type: command, campaignId: subject, twist, now: this.stage.clock.ms, around });
    return (await execute(this.stage.log, campaignDecider, { subject }, order, by(tenant))).events;
  }

  private async handset({ device, command, twist }: Of<'handset'>, tenant: string): Promise<Happened> {
    if (command === 'ForgetHandset') return this.forget(tenant, device);
    const order = handsetCommand(command, tenant, device, twist);
    const subject = order.data.deviceId;
    return (await execute(this.stage.log, handset, { subject }, order, by(tenant))).events;
  }

  /** Event and erasure of the keys in one transaction, as the service does it. */
  private async forget(tenant: string, device: number): Promise<Happened> {
    const { log, database, keyring } = this.stage;
    const deviceId = idOf('device', device);
    const history = await log.readStream<HandsetEvent>(handset.topic, tenant, deviceId);
    const state = history
      .map(({ type, data }) => ({ type, data }) as HandsetEvent)
      .reduce(handset.evolve, handset.initial);
    const events = handset.decide(state, { type: 'ForgetHandset', data: { deviceId, reason: 'asked' } });
    if (events.length > 0)
      await database.inTenant(tenant, async (tx) => {
        await keyring.forget(tenant, deviceId, tx);
        const stream = { subject: deviceId, expectedVersion: history.length };
        await log.appendIn(tx, handset.topic, stream, events, by(tenant));
      });
    this.forgotten.add(labelOf(tenant, device));
    return events;
  }

  /** The publisher counts its snapshots; what it signs is not in the log. */
  private async catalogue({ campaigns, twist }: Of<'catalogue'>, tenant: string): Promise<Happened> {
    const channel = pick(CHANNELS, twist);
    const subject = `catalogue:${channel}`;
    const version = (await this.stage.log.readStream('muster.campaign', tenant, subject)).length + 1;
    const ids = campaigns.map((each) => idOf('campaign', each));
    const data = { channel, version, digest: pick(DIGESTS, twist), campaigns: ids };
    const event: CatalogueEvent = { type: 'CataloguePublished', data };
    const stream = { subject, expectedVersion: version - 1 };
    await this.stage.log.append('muster.campaign', stream, [event], by(tenant));
    return [event];
  }

  private async polls({ partition, devices, twist }: Of<'polls'>, tenant: string): Promise<Happened> {
    const from = this.stage.clock.ms;
    const answer = pick(['not-modified', 'sent'] as const, twist);
    const polls = devices.map((deviceNo, i) => {
      return { deviceNo, at: from + i, rule: `timer;v=${twist}`, answer, digest: pick(DIGESTS, twist + i) };
    });
    const data = { partition, channel: pick(CHANNELS, twist), ...packPolls(from, polls) };
    const event: DeviceFactByServer = { type: 'PollsRecorded', data };
    await this.append([this.numbered({ subject: 'polls', partition, event, context: by(tenant) })]);
    return [event];
  }

  private async facts({ facts, isRepeated, twist }: Of<'facts'>, tenant: string): Promise<Happened> {
    const numbered = facts.map((said): Fact => {
      const subject = idOf('device', said.device);
      const offer = { campaignId: idOf('campaign', said.campaign), contentId: idOf('content', said.content) };
      const context = by(tenant);
      if (said.by === 'server') return this.numbered({ subject, context, event: answered(said, offer, twist) });
      const { epoch, n } = said;
      const sequence = { source: `device:${subject}`, epoch, n };
      return { subject, context, event: told(said, offer, twist), sequence };
    });
    await this.append(numbered);
    if (isRepeated) await this.append(numbered);
    return numbered.map(({ event }) => event);
  }

  private append(facts: readonly Fact[]): Promise<void> {
    return this.stage.log.appendFacts('muster.device', facts);
  }

  private numbered(fact: Fact): Fact {
    const partition = fact.partition ?? partitionOf(`${fact.context.tenant}/${fact.subject}`);
    const n = (this.numbers.get(partition) ?? 0) + 1;
    this.numbers.set(partition, n);
    return { ...fact, sequence: { source: `campaign:test/${partition}`, epoch: 1, n } };
  }
}

const by = (tenant: string): EventContext => ({ tenant, actor: 'system:test', commandId: newId() });
