import { type EventRecord, type Report, type RoomAuditor, type Tx } from '#event-log/index.js';
import type { AuditEvent } from './events.js';

/** Rows that a person made: what each has, and how often `muster.audit` must name it. */
const MADE = [
  { table: 'ops.tenant', kind: 'tenant', id: 'tenant', operation: 'tenant.add' },
  { table: 'ops.person', kind: 'person', id: 'person_id', operation: 'user.add' },
  { table: 'ops.api_token', kind: 'token', id: 'token_id', operation: 'token.add' },
  { table: 'ops.channel', kind: 'channel', id: 'channel', operation: 'channel.add' },
] as const;
/** Changes that are counted by the row itself. */
const CHANGED = ['user.change', 'user.password'];

/** One audit event for each change that a person made to an operational row (I11), and no row without one. */
export class ChangeAuditor implements RoomAuditor {
  private readonly counts = new Map<string, number>();
  private readonly places = new Map<string, string>();

  constructor(private readonly report: Report) {}

  visit(record: EventRecord): void {
    if (record.topic !== 'muster.audit') return;
    const { operation, object } = (record as EventRecord<AuditEvent>).data;
    const key = keyOf(record.tenant, operation, object);
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
    this.places.set(key, `${record.topic}/${record.partition}/${record.offset}`);
  }

  async finish(tx: Tx): Promise<void> {
    const seen = new Set<string>();
    for (const { table, kind, id, operation } of MADE) {
      const rows = await tx.query<{ tenant: string; id: string }>(`select tenant, ${id}::text as id from ${table}`);
      for (const row of rows)
        seen.add(this.expect(`${table} ${row.tenant}/${row.id}`, row.tenant, operation, { kind, id: row.id }));
    }
    for (const [key, where] of this.places)
      if (MADE.some(({ operation }) => key.split(' ')[1] === operation) && !seen.has(key))
        this.find('audit.row-missing', where, 'the row that this made is not there');
    await this.changes(tx);
  }

  private async changes(tx: Tx): Promise<void> {
    const people = await tx.query<{ tenant: string; id: string; version: number }>(
      'select tenant, person_id::text as id, version from ops.person',
    );
    for (const { tenant, id, version } of people) {
      const audited = CHANGED.map(
        (operation) => this.counts.get(keyOf(tenant, operation, { kind: 'person', id })) ?? 0,
      );
      const sum = audited.reduce((a, b) => a + b, 0);
      if (sum !== version - 1)
        this.find('audit.count', `ops.person ${tenant}/${id}`, `${version - 1} changes, ${sum} audit events`);
    }
    const revoked = await tx.query<{ tenant: string; id: string; kind: string; operation: string; name: string }>(
      `select tenant, token_id::text as id, 'token' as kind, 'token.revoke' as operation, 'ops.api_token' as name
       from ops.api_token where revoked_at is not null
       union all select tenant, code_id::text, 'enrolment', 'enrolment.revoke', 'ops.enrolment_code'
       from ops.enrolment_code where revoked_at is not null
       union all select distinct tenant, batch_id::text, 'enrolment', 'enrolment.issue', 'ops.enrolment_code batch'
       from ops.enrolment_code where replaces is null`,
    );
    for (const { tenant, id, kind, operation, name } of revoked)
      this.expect(`${name} ${tenant}/${id}`, tenant, operation, { kind, id });
  }

  private expect(where: string, tenant: string, operation: string, object: { kind: string; id: string }): string {
    const key = keyOf(tenant, operation, object);
    const count = this.counts.get(key) ?? 0;
    if (count !== 1) this.find('audit.count', where, `${count} audit events ${operation}, not one`);
    return key;
  }

  private find(code: string, where: string, message: string): void {
    this.report({ invariant: 'I11', code, where, message });
  }
}

const keyOf = (tenant: string, operation: string, { kind, id }: { kind: string; id: string }): string =>
  `${tenant} ${operation} ${kind} ${id}`;
