import type { OfferRef } from '#device-protocol/index.js';
import type { Lease } from './conflicts.js';
import { type DeviceProgress, NO_TALLY, OUTCOMES, outcomeOf, type Tally, type Timeouts } from './outcomes.js';
import type { PastFact } from './past.js';

export const TICK_MS = 30 * 60_000;
const MINUTE = 60_000;

/** Shares of the devices that get a content, 0 to 1: what is left confirms it. */
export interface Manner {
  /** Never heard of again. */
  vanish?: number;
  /** Go back to what they had. */
  fail?: number;
  /** Install it, and say no more. */
  silent?: number;
  /** Say no when it comes. */
  decline?: number;
}
type Course = keyof Manner | 'confirm';

/** Ticks from the grant to the transfer's end, and from there to the confirmation. */
const TRANSFER_TICKS = 2;
const CONFIRM_TICKS = 1;

type Step = 'granted' | 'transferred' | 'confirmed' | 'failed' | 'declined' | 'leased';
const FACTS: readonly (readonly [Step, PastFact['event'], string | null])[] = [
  ['granted', 'GrantIssued', null],
  ['transferred', 'TransferCompleted', null],
  ['transferred', 'InstallReported', 'installed'],
  ['confirmed', 'OutcomeConfirmed', 'confirmed'],
  ['failed', 'OutcomeConfirmed', 'rolled-back'],
  ['declined', 'ContentDeclined', 'user'],
];

/** How far all devices came with one campaign: two bytes a step, so that a million of them fit in memory. */
export class DevicesOf {
  private readonly ticks: Record<Step, Uint16Array>;
  private readonly outcomes: Uint8Array;
  private readonly agenda = new Map<number, number[]>();
  private readonly counted: Record<'all' | 'ofWave', Record<keyof Tally, number>> = {
    all: { ...NO_TALLY },
    ofWave: { ...NO_TALLY },
  };
  private readonly instants: string[] = [];
  private openedAt = 0;
  /** Leases whose transfer goes on. */
  transfers = 0;
  /** Begun, and come to no end. */
  underWay = 0;

  constructor(
    devices: number,
    private readonly begin: number,
    private readonly manner: Manner,
    private readonly seed: number,
  ) {
    const column = () => new Uint16Array(devices);
    this.ticks = {
      granted: column(),
      transferred: column(),
      confirmed: column(),
      failed: column(),
      declined: column(),
      leased: column(),
    };
    this.outcomes = new Uint8Array(devices);
  }

  get all(): Tally {
    return this.counted.all;
  }

  /** Of those that were granted it since its wave was opened. */
  get ofWave(): Tally {
    return this.counted.ofWave;
  }

  opened(at: number): void {
    this.openedAt = at;
    this.counted.ofWave = { ...NO_TALLY };
  }

  /** The lease of a device that goes on is renewed while bytes are sent; what becomes of it comes by itself. */
  grant(no: number, tick: number, { transferMinutes }: Timeouts): void {
    this.note('granted', no, tick);
    this.note('leased', no, tick);
    this.transfers += 1;
    this.underWay += 1;
    for (let later = 1; later <= TRANSFER_TICKS; later++) this.plan(tick + later, no);
    if (transferMinutes !== null) this.plan(tick + Math.ceil((transferMinutes * MINUTE) / TICK_MS), no);
  }

  /** What devices do that were to do it by then, and what silence comes to. */
  comeTo(tick: number, timeouts: Timeouts): void {
    for (const no of this.agenda.get(tick) ?? []) {
      this.act(no, tick, timeouts);
      this.count(no, tick, timeouts);
    }
    this.agenda.delete(tick);
  }

  private act(no: number, tick: number, { confirmMinutes }: Timeouts): void {
    const { granted, transferred, leased } = this.ticks;
    const course = this.courseOf(no);
    const since = tick + 1 - granted[no]!;
    if (since < TRANSFER_TICKS && transferred[no] === 0) {
      if (course === 'vanish')
        this.transfers -= 1; // its lease has run out
      else leased[no] = tick + 1;
    } else if (since === TRANSFER_TICKS && course === 'decline') {
      this.transfers -= 1;
      this.note('declined', no, tick);
    } else if (since === TRANSFER_TICKS && course !== 'vanish') {
      this.transfers -= 1;
      this.note('transferred', no, tick);
      this.plan(tick + CONFIRM_TICKS, no);
      if (confirmMinutes !== null) this.plan(tick + Math.ceil((confirmMinutes * MINUTE) / TICK_MS), no);
    } else if (since === TRANSFER_TICKS + CONFIRM_TICKS && (course === 'confirm' || course === 'fail'))
      this.note(course === 'fail' ? 'failed' : 'confirmed', no, tick);
  }

  private count(no: number, tick: number, timeouts: Timeouts): void {
    const progress = this.progressOf(no);
    const outcome = outcomeOf(progress, timeouts, this.begin + tick * TICK_MS);
    const before = OUTCOMES[this.outcomes[no]! - 1];
    if (outcome === before) return;
    for (const tally of progress.grantedAt! >= this.openedAt ? (['all', 'ofWave'] as const) : (['all'] as const)) {
      if (before !== undefined) this.counted[tally][before] -= 1;
      if (outcome !== undefined) this.counted[tally][outcome] += 1;
    }
    this.underWay += (before === undefined ? 0 : 1) - (outcome === undefined ? 0 : 1);
    this.outcomes[no] = outcome === undefined ? 0 : OUTCOMES.indexOf(outcome) + 1;
  }

  hasOrDeclined(no: number): boolean {
    return this.ticks.granted[no] !== 0 || this.ticks.declined[no] !== 0;
  }

  progressOf(no: number): DeviceProgress {
    const { granted, transferred, confirmed, failed, declined } = this.ticks;
    const progress: DeviceProgress = {};
    if (granted[no] !== 0) progress.grantedAt = this.msOf(granted, no);
    if (transferred[no] !== 0) progress.installedAt = progress.transferredAt = this.msOf(transferred, no);
    if (confirmed[no] !== 0) progress.confirmedAt = this.msOf(confirmed, no);
    if (failed[no] !== 0) progress.failedAt = this.msOf(failed, no);
    if (declined[no] !== 0) progress.declinedAt = this.msOf(declined, no);
    return progress;
  }

  leaseOf(no: number, leaseMs: number): Lease | undefined {
    const { leased, transferred, confirmed, failed, declined } = this.ticks;
    const taken = this.msOf(leased, no);
    if (taken === undefined) return undefined;
    const endedAt = this.msOf(confirmed, no) ?? this.msOf(failed, no) ?? this.msOf(declined, no);
    return { expiresAt: taken + leaseMs, transferredAt: this.msOf(transferred, no), endedAt };
  }

  /** Adds what has come of it to what is past of the device. */
  addPast(past: PastFact[], no: number, { contentId, campaignId }: OfferRef): void {
    if (this.ticks.granted[no] === 0) return;
    for (const [step, event, code] of FACTS) {
      const tick = this.ticks[step][no]!;
      if (tick !== 0) past.push({ contentId, campaignId, event, code, at: this.instantOf(tick) });
    }
  }

  private instantOf(tick: number): string {
    return (this.instants[tick] ??= new Date(this.begin + (tick - 1) * TICK_MS).toISOString());
  }

  /** Of the same campaign a device always does the same. */
  private courseOf(no: number): Course {
    const { vanish = 0, fail = 0, silent = 0, decline = 0 } = this.manner;
    let left = uniform(no, this.seed);
    if ((left -= vanish) < 0) return 'vanish';
    if ((left -= fail) < 0) return 'fail';
    if ((left -= silent) < 0) return 'silent';
    if ((left -= decline) < 0) return 'decline';
    return 'confirm';
  }

  private note(step: Step, no: number, tick: number): void {
    this.ticks[step][no] = tick + 1;
  }

  private plan(tick: number, no: number): void {
    const planned = this.agenda.get(tick);
    if (planned === undefined) this.agenda.set(tick, [no]);
    else if (planned.at(-1) !== no) planned.push(no);
  }

  private msOf(column: Uint16Array, no: number): number | undefined {
    const tick = column[no]!;
    return tick === 0 ? undefined : this.begin + (tick - 1) * TICK_MS;
  }
}

/** In [0, 1), of a device and a purpose (the finaliser of murmur3). */
export function uniform(no: number, seed: number): number {
  let mixed = Math.imul(no + 1, 0x9e3779b1) ^ Math.imul(seed + 1, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
}
