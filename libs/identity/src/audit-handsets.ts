import { type EventRecord, placeOf, type Report, type RoomAuditor, type Tx } from '#event-log/index.js';
import type { HandsetEvent } from './events.js';
import { handset, type HandsetCommand, type HandsetState } from './handset.js';

interface Folded {
  state: HandsetState;
  deviceNo: number;
  epoch: number;
  version: number;
  /** It has a controller id, as a hawkBit client. */
  isController: boolean;
  /** Of the newest event that changed what is kept. */
  keptVersion: number;
}

interface DeviceRow {
  tenant: string;
  device_id: string;
  device_no: number;
  channel: string;
  label: string | null;
  status: string;
  epoch: number;
  expires_at: Date;
  version: number;
  kept_version: number;
  key_hash: string | null;
  has_key: boolean | null;
  has_controller: boolean;
}

const UNKNOWN: Folded = {
  state: handset.initial,
  deviceNo: -1,
  epoch: 0,
  version: 0,
  isController: false,
  keptVersion: 0,
};

/** Device identities: the streams obey the decider, the rows are their mirror, and facts are of devices that were enrolled. */
export class HandsetAuditor implements RoomAuditor {
  private readonly devices = new Map<string, Folded>();
  private readonly tenantOf = new Map<string, string>();
  private readonly strangers = new Set<string>();

  constructor(private readonly report: Report) {}

  visit(record: EventRecord): void {
    if (record.topic === 'muster.handset') this.fold(record as EventRecord<HandsetEvent>);
    if (record.topic === 'muster.device' && record.subject !== 'polls') this.ownDevice(record);
  }

  async finish(tx: Tx): Promise<void> {
    const rows = await tx.query<DeviceRow>(
      `select d.*, k.key_hash, r.wrapped is not null as has_key, exists (select 1 from ops.controller c
         where c.tenant = d.tenant and c.device_id = d.device_id) as has_controller from ops.device d
       left join ops.device_key k on k.tenant = d.tenant and k.device_id = d.device_id and k.retired_at is null
       left join ops.keyring r on r.tenant = d.tenant and r.purpose = 'subject' and r.id = d.device_id::text`,
    );
    const left = new Map(this.devices);
    for (const row of rows) {
      const folded = left.get(`${row.tenant}/${row.device_id}`);
      left.delete(`${row.tenant}/${row.device_id}`);
      this.mirror(row, folded);
    }
    for (const key of left.keys())
      this.row('row.missing', `ops.device ${key}`, 'the log enrolled it, but it has no row');
    await this.counters(tx);
  }

  private fold(record: EventRecord<HandsetEvent>): void {
    const key = `${record.tenant}/${record.subject}`;
    const event = { type: record.type, data: record.data } as HandsetEvent;
    const { state, ...known } = this.devices.get(key) ?? UNKNOWN;
    const refusal = refusalOf(state, event);
    if (refusal !== undefined)
      this.report({ invariant: 'I4', code: 'handset.refused', where: placeOf(record), message: refusal });
    const owner = this.tenantOf.get(record.subject) ?? record.tenant;
    this.tenantOf.set(record.subject, owner);
    if (owner !== record.tenant)
      this.report({ invariant: 'I7', code: 'tenant.mixed', where: placeOf(record), message: `a device of ${owner}` });
    const next = handset.evolve(state, event);
    const { deviceNo, epoch } = 'deviceNo' in next ? next : known;
    const isController = known.isController || (event.type === 'HandsetEnrolled' && event.data.controllerId != null);
    const keptVersion = event.type === 'AttributesKept' ? record.version : known.keptVersion;
    this.devices.set(key, { state: next, deviceNo, epoch, version: record.version, isController, keptVersion });
  }

  private ownDevice(record: EventRecord): void {
    const key = `${record.tenant}/${record.subject}`;
    if (this.devices.has(key) || this.strangers.has(key)) return;
    this.strangers.add(key);
    const owner = this.tenantOf.get(record.subject);
    const message = owner === undefined ? 'of a device that was never enrolled' : `of a device of tenant ${owner}`;
    this.report({ invariant: 'I7', code: 'device.stranger', where: placeOf(record), message });
  }

  private mirror(row: DeviceRow, folded: Folded | undefined): void {
    const where = `ops.device ${row.tenant}/${row.device_id}`;
    if (folded === undefined) return this.row('row.stray', where, 'the log never enrolled it');
    const { state } = folded;
    const expected: Record<string, unknown> = {
      device_no: folded.deviceNo,
      epoch: folded.epoch,
      version: folded.version,
    };
    expected.status = state.status;
    expected.kept_version = folded.keptVersion;
    if ('keyHash' in state) Object.assign(expected, { channel: state.channel, expires_at: state.expiresAt });
    expected.key_hash = state.status === 'active' ? state.keyHash : null;
    // Of a forgotten one the controller id may have passed on.
    if (state.status !== 'forgotten') expected.has_controller = folded.isController;
    if (state.status === 'forgotten') Object.assign(expected, { label: null, has_key: false });
    const actual: Record<string, unknown> = { ...row, expires_at: row.expires_at.toISOString() };
    actual.has_key = row.has_key === true;
    for (const [column, value] of Object.entries(expected))
      if (actual[column] !== value)
        this.row('row.differs', where, `${column} is ${String(actual[column])}, the log says ${String(value)}`);
  }

  private async counters(tx: Tx): Promise<void> {
    const rows = await tx.query<{ tenant: string; next_no: number }>('select tenant, next_no from ops.device_counter');
    const enrolled = [...this.devices].map(([key, { deviceNo }]) => [key.split('/')[0]!, deviceNo] as const);
    for (const { tenant, next_no } of rows) {
      const numbers = new Set(enrolled.filter(([of]) => of === tenant).map(([, deviceNo]) => deviceNo));
      const dense = numbers.size === next_no && [...numbers].every((n) => n >= 0 && n < next_no);
      if (!dense)
        this.row('row.differs', `ops.device_counter ${tenant}`, `next is ${next_no}, the log numbered ${numbers.size}`);
    }
  }

  private row(code: string, where: string, message: string): void {
    this.report({ invariant: 'I4', code, where, message });
  }
}

/** Whether the decider would have let this happen. @returns why not */
function refusalOf(state: HandsetState, event: HandsetEvent): string | undefined {
  const command = commandOf(state, event);
  if (command === undefined)
    return state.status === 'active' ? undefined : `${event.type} of a device that is ${state.status}`;
  try {
    const allowed = handset.decide(state, command).some(({ type }) => type === event.type);
    return allowed ? undefined : `${event.type} does not follow from a device that is ${state.status}`;
  } catch (error) {
    return `${event.type}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** The command that the event answered; none for what no rule decides. */
function commandOf(state: HandsetState, { type, data }: HandsetEvent): HandsetCommand | undefined {
  switch (type) {
    case 'HandsetEnrolled':
      return { type: 'EnrolHandset', data };
    case 'HandsetRenewed':
      return { type: 'RenewHandset', data: { ...data, presentedKeyHash: data.replacesKeyHash } };
    case 'HandsetReplaced':
      return { type: 'ReplaceHandset', data };
    case 'HandsetRevoked':
      return { type: 'RevokeHandset', data };
    case 'SubjectForgotten':
      return state.status === 'active' ? { type: 'RevokeHandset', data } : { type: 'ForgetHandset', data };
    case 'RulesDelivered':
    case 'AttributesKept':
      return undefined;
  }
}
