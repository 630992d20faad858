import { Inject, Injectable } from '@nestjs/common';
import {
  encodePosition,
  type EventRecord,
  type MaybeFaulty,
  type Moment,
  nextOffset,
  notYet,
  parseAsOf,
  PARTITIONS,
  partitionOf,
  type Position,
  reaches,
  type Topic,
} from '#event-log/index.js';
import { CommittedLog, TailLog } from '#event-log/nest/event-log.module.js';
import type { HandsetEvent } from '#identity/events.js';
import { type Kept, keptOf } from '#identity/index.js';
import { type Clock, Turns } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { Board, BOARD_TOPICS, type TenantBoard } from '../board.js';
import { CampaignError } from '../errors.js';
import type { KnownDevice } from '../explain.js';
import type { Telling } from '../explain-rule.js';
import { pastFact } from '../past.js';
import { knownBy, valuesOf } from '../values.js';
import type { Told } from './described.js';
import { LiveBoard } from './live-board.js';

const PAGE = 1_000;

/** At a time, and in line behind them: each reads a partition from its beginning. */
const [AT_ONCE, IN_LINE] = [2, 8];
/** One answer takes no longer, ms. */
const DEADLINE_MS = 20_000;
const RETRY_SECONDS = 5;

/** What people had decided and one device had done, at a moment. */
export interface Then {
  /** ms. Of a position: when the last of what bears on the answer came. */
  at: number;
  position: string;
  isPast: boolean;
  board: TenantBoard;
  device: KnownDevice;
}

interface Reading {
  tenant: string;
  /** Next offsets, or the last instant. */
  until: Moment;
  /** Where it was read to, and when the last of it came. */
  next: Record<string, number>;
  latest: number;
  /** By `performance.now()`. */
  deadline: number;
}

/**
 * Reads the log up to a moment: nothing that comes later can change it. Of the device topic it reads the device's partition, since
 * only the log has what devices tell, sealed; the price is in DECISIONS.md.
 */
@Injectable()
export class Moments {
  private readonly turns = new Turns(AT_ONCE, IN_LINE, () => {
    const about = { retryAfterSeconds: RETRY_SECONDS };
    return new CampaignError('explain.busy', about, 'too many ask why just now');
  });

  constructor(
    @Inject(CommittedLog) private readonly committed: CommittedLog,
    @Inject(TailLog) private readonly tail: TailLog,
    @Inject(LiveBoard) private readonly live: LiveBoard,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** @throws EventLogError `as-of.malformed`, `as-of.future`; CampaignError `device.unknown`, `explain.busy`, `explain.unavailable` */
  at(tenant: string, deviceId: string, asOf: string | undefined): Promise<Then> {
    return this.turns.take(() => this.read(tenant, deviceId, asOf));
  }

  private async read(tenant: string, deviceId: string, asOf: string | undefined): Promise<Then> {
    const heads = await this.heads();
    const until = asOf === undefined ? { position: heads } : await this.momentOf(asOf, heads);
    const reading: Reading = { tenant, until, next: {}, latest: 0, deadline: performance.now() + DEADLINE_MS };
    const board = asOf === undefined ? await this.live.tenant(tenant) : await this.boardOf(reading);
    if (asOf === undefined) Object.assign(reading.next, this.live.position);
    const { kept, ...identity } = await this.identityOf(reading, deviceId);
    const device = { deviceId, ...identity, ...(await this.factsOf(reading, { board, kept, deviceId })) };
    const atMoment = 'instant' in until ? Date.parse(until.instant) : reading.latest;
    const at = asOf === undefined ? this.clock.now() : atMoment;
    return { at, position: encodePosition(reading.next), isPast: asOf !== undefined, board, device };
  }

  /** Relayed topics are as far as they are committed, whether or not Kafka has them yet. */
  private async heads(): Promise<Position> {
    const [people, devices] = await Promise.all([
      this.committed.heads([...BOARD_TOPICS, 'muster.handset']),
      this.tail.heads(['muster.device']),
    ]);
    return { ...people, ...devices };
  }

  private async momentOf(asOf: string, heads: Position): Promise<Moment> {
    const moment = parseAsOf(asOf, await this.tail.now());
    if ('instant' in moment) return moment;
    const own = Object.entries(moment.position).filter(([key]) => OWN.some((topic) => key.startsWith(`${topic}/`)));
    if (!reaches(heads, Object.fromEntries(own))) throw notYet();
    return moment;
  }

  private async boardOf(reading: Reading): Promise<TenantBoard> {
    const board = new Board();
    for (const topic of BOARD_TOPICS)
      for (let partition = 0; partition < PARTITIONS; partition++)
        await this.partition(this.committed, { topic, partition }, reading, (record) => board.apply(record));
    return board.tenant(reading.tenant);
  }

  private async identityOf(reading: Reading, deviceId: string): Promise<Identity> {
    const history = await this.committed.readStream<HandsetEvent>('muster.handset', reading.tenant, deviceId);
    const found = history.filter((record) => isBy(record, reading.until));
    const [first] = found;
    if (first?.type !== 'HandsetEnrolled') throw new CampaignError('device.unknown', { deviceId }, 'no such device');
    for (const record of found) note(reading, record);
    const { channel } = first.data as Extract<HandsetEvent, { type: 'HandsetEnrolled' }>['data'];
    const status = found.reduce<KnownDevice['status']>((before, { type }) => STATUS[type] ?? before, 'active');
    return { channel, status, kept: keptOf(found.map(({ type, data }) => ({ type, data }) as HandsetEvent)) };
  }

  private async factsOf(
    reading: Reading,
    { board: { schema }, kept, deviceId }: { board: TenantBoard; kept: Kept; deviceId: string },
  ): Promise<Pick<KnownDevice, 'told' | 'past'>> {
    const partition = partitionOf(`${reading.tenant}/${deviceId}`);
    const known = { told: 'not-told' as Telling, past: [] as KnownDevice['past'][number][] };
    const isRepeat = repeats();
    await this.partition(this.tail, { topic: 'muster.device', partition }, reading, (record) => {
      if (record.subject !== deviceId || record.fault !== undefined || isRepeat(record)) return;
      if (record.type === 'HandsetDescribed') known.told = tellingOf(record as EventRecord<Described>, schema, kept);
      const fact = pastFact(record, record.receivedAt);
      if (fact !== undefined) known.past.push(fact);
    });
    return known;
  }

  /** One partition of the tenant, up to the moment. */
  private async partition(
    log: CommittedLog | TailLog,
    { topic, partition }: { topic: Topic; partition: number },
    reading: Reading,
    take: (record: MaybeFaulty) => void,
  ): Promise<void> {
    for (let from = 0; ; ) {
      if (performance.now() > reading.deadline) throw tooLong();
      const records = await log.readTolerantly(topic, partition, from, PAGE, reading.tenant);
      for (const record of records) {
        if (!isBy(record, reading.until)) return;
        note(reading, record);
        take(record);
      }
      if (records.length < PAGE) return;
      from = records.at(-1)!.offset + 1;
    }
  }
}

const tooLong = () =>
  new CampaignError(
    'explain.unavailable',
    { retryAfterSeconds: RETRY_SECONDS },
    'it would take too long to read just now',
  );

type Identity = Pick<KnownDevice, 'channel' | 'status'> & { kept: Kept };
type Described = { type: 'HandsetDescribed'; data: Told };

const OWN: readonly Topic[] = [...BOARD_TOPICS, 'muster.handset', 'muster.device'];

const STATUS: Readonly<Partial<Record<string, KnownDevice['status']>>> = {
  HandsetReplaced: 'active',
  HandsetRevoked: 'revoked',
  SubjectForgotten: 'forgotten',
};

const isBy = ({ topic, partition, offset, receivedAt }: MaybeFaulty, until: Moment): boolean =>
  'instant' in until
    ? Date.parse(receivedAt) <= Date.parse(until.instant)
    : offset < nextOffset(until.position, topic, partition);

function note(reading: Reading, { topic, partition, offset, receivedAt }: MaybeFaulty): void {
  const key = `${topic}/${partition}`;
  reading.next[key] = Math.max(reading.next[key] ?? 0, offset + 1);
  reading.latest = Math.max(reading.latest, Date.parse(receivedAt));
}

/** Null to readers once the device is forgotten; a schema that has been restored from before may not have what it told. */
function tellingOf(
  { data, occurredAt: at }: EventRecord<Described>,
  schema: TenantBoard['schema'],
  kept: Kept,
): Telling {
  const { attributes, zone } = data;
  if (attributes === null) return 'erased';
  const told = { attributes, at };
  const compared = knownBy(schema, told, kept);
  if (compared === null) return 'not-told';
  const values = Object.entries(valuesOf(told, kept, schema)).filter(([, { source }]) => source === 'kept');
  const since = new Map(values.map(([name, value]) => [name, value.at]));
  return { attributes: compared, zone: zone ?? undefined, at, kept: since };
}

/** What a source has sent before, by its own numbers. */
function repeats(): (record: MaybeFaulty) => boolean {
  const last = new Map<string, readonly [epoch: number, n: number]>();
  return ({ sequence }) => {
    if (sequence === null) return false;
    const { source, epoch, n } = sequence;
    const [lastEpoch, lastN] = last.get(source) ?? [0, 0];
    if (epoch < lastEpoch || (epoch === lastEpoch && n <= lastN)) return true;
    last.set(source, [epoch, n]);
    return false;
  };
}
