import { CampaignRowsAuditor, CampaignAuditor } from '#campaign/index.js';
import { campaignProjections } from '#campaign/nest/campaign.module.js';
import {
  auditLog,
  type ChainHead,
  Database,
  EventLogError,
  type Finding,
  Keyring,
  type LogAudit,
  PostgresLog,
  ProjectionRunner,
  type Report,
} from '#event-log/index.js';
import { ChangeAuditor, HandsetAuditor } from '#identity/index.js';
import { insightProjections } from '#insight/index.js';
import { systemClock } from '#runtime/index.js';
import { catalog } from '../rooms.js';
import { type Installation, requireCurrent } from './open.js';

export interface AuditReport {
  ok: boolean;
  findings: Finding[];
  records: number;
  streams: number;
  sequences: LogAudit['sequences'];
  projections: string[];
  chain: ChainHead;
}

/** Folds the whole log, compares everything that follows from it, and names every breach. @param kept an earlier chain's head */
export async function audit(installation: Installation, kept?: ChainHead): Promise<AuditReport> {
  requireCurrent(installation);
  const findings: Finding[] = [];
  const report: Report = (finding) => void findings.push(finding);
  const keyring = await Keyring.open({ database: installation.superuser, kek: installation.kek });
  const { records, streams, sequences, chain } = await auditRecords(installation, keyring, report);
  if (kept !== undefined) chain.compare(kept, report);
  const projections = await auditProjections(installation, keyring, report);
  const ok = findings.length === 0;
  return { ok, findings, records, streams, sequences, projections, chain: chain.head() };
}

/** Log and rows in one snapshot, so that a server may go on. */
function auditRecords({ superuser, data }: Installation, keyring: Keyring, report: Report): Promise<LogAudit> {
  return superuser.transaction(async (tx) => {
    await tx.query('set transaction isolation level repeatable read, read only');
    const rooms = [
      new HandsetAuditor(report),
      new ChangeAuditor(report),
      new CampaignAuditor(report),
      new CampaignRowsAuditor(report, data),
    ];
    const audited = await auditLog({ tx, events: catalog, keyring, rooms, report });
    for (const room of rooms) await room.finish(tx);
    return audited;
  });
}

/** What people read must be what a rebuild would make. @returns the names of what was compared */
async function auditProjections(installation: Installation, keyring: Keyring, report: Report): Promise<string[]> {
  const database = new Database(installation.url('muster_projector'), { max: 6, applicationName: 'muster audit' });
  const projections = [...campaignProjections, ...insightProjections];
  const source = new PostgresLog({ database, events: catalog, keyring, clock: systemClock });
  const runner = new ProjectionRunner({ database, source, projections });
  const find = (code: string, where: string, message: string) => report({ invariant: 'I4', code, where, message });
  try {
    await runner.prepare();
    for (const { name, lag, parked } of await runner.list()) {
      if (lag < 0) find('projection.ahead', `proj.checkpoint ${name}`, `${-lag} records beyond the end of the log`);
      for (const { topic, partition, fromOffset, stream, error } of parked)
        find('projection.parked', `${topic}/${partition}/${fromOffset}`, `${name} put ${stream} aside: ${error}`);
      await compare(runner, name, find);
    }
    return projections.map(({ name }) => name);
  } finally {
    await database.end();
  }
}

/** A rebuild needs a whole log: what is missing there stops it, and is named. */
async function compare(
  runner: ProjectionRunner,
  name: string,
  find: (code: string, where: string, message: string) => void,
): Promise<void> {
  try {
    const verified = await runner.verify(name);
    if (verified.equal) return;
    for (const { table, key, column, live, rebuilt } of verified.differences)
      find(
        'projection.differs',
        `proj.${table} ${JSON.stringify(key)} ${column}`,
        `${shown(live)}, a rebuild makes ${shown(rebuilt)}`,
      );
  } catch (error) {
    if (!(error instanceof EventLogError) || error.code !== 'log.gap') throw error;
    find('projection.gap', `proj.checkpoint ${name}`, `cannot be rebuilt: ${JSON.stringify(error.details)}`);
  }
}

const shown = (value: unknown): string => JSON.stringify(value) ?? 'nothing';
