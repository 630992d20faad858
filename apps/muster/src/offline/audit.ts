import { CampaignRowsAuditor, CampaignAuditor } from '#campaign/index.js';
import { campaignProjections } from '#campaign/nest/campaign.module.js';
import {
  ArchiveReader,
  auditLog,
  auditRelay,
  type ChainHead,
  Database,
  type EventLog,
  EventLogError,
  factSource,
  type Finding,
  Keyring,
  type LogAudit,
  LogChain,
  PostgresLog,
  ProjectionRunner,
  type ProjectionStatus,
  type RelayCounts,
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
  /** Where Kafka carries the log: how its topics compare with what is stored. */
  relay?: RelayCounts;
}

export interface AuditOptions {
  /** An earlier head, to compare with. */
  kept?: ChainHead | undefined;
  /** Takes the head of now. */
  keep?: ((head: ChainHead) => void) | undefined;
}

/** Folds the whole log, compares everything that follows from it, and names every breach. */
export async function audit(installation: Installation, { kept, keep }: AuditOptions = {}): Promise<AuditReport> {
  requireCurrent(installation);
  const { superuser, kek, kafka } = installation;
  const findings: Finding[] = [];
  const report: Report = (finding) => void findings.push(finding);
  const keyring = await Keyring.open({ database: superuser, kek });
  const chain = kept === undefined && keep === undefined ? undefined : new LogChain();
  const folded = await auditRecords(installation, { keyring, report, chain });
  if (kept !== undefined) chain?.compare(kept, report);
  if (chain !== undefined) keep?.(chain.head());
  const relay = kafka && (await auditRelay({ database: superuser, client: kafka.client, report }));
  const projections = await auditProjections(installation, keyring, report);
  return { ok: findings.length === 0, findings, ...folded, projections, ...(relay && { relay }) };
}

/** Log and rows in one snapshot, so that a server may go on. */
function auditRecords(
  { superuser, data, archive, kafka }: Installation,
  { keyring, report, chain }: { keyring: Keyring; report: Report; chain: LogChain | undefined },
): Promise<LogAudit> {
  const facts = kafka && (() => factSource(kafka.client));
  return superuser.transaction(async (tx) => {
    await tx.query('set transaction isolation level repeatable read, read only');
    const rooms = [
      new HandsetAuditor(report),
      new ChangeAuditor(report),
      new CampaignAuditor(report),
      new CampaignRowsAuditor(report, data, kafka !== undefined),
    ];
    const audited = await auditLog({
      tx,
      events: catalog,
      keyring,
      rooms,
      report,
      chain,
      facts,
      archive: new ArchiveReader(archive),
    });
    for (const room of rooms) await room.finish(tx);
    return audited;
  });
}

/** What people read must be what a rebuild would make. @returns the names of what was compared */
async function auditProjections(installation: Installation, keyring: Keyring, report: Report): Promise<string[]> {
  const { kafka, archive } = installation;
  const database = new Database(installation.url('muster_projector'), { max: 6, applicationName: 'muster audit' });
  const projections = [...campaignProjections, ...insightProjections];
  const options = { database, events: catalog, keyring, clock: systemClock, archive: new ArchiveReader(archive) };
  const source = kafka === undefined ? new PostgresLog(options) : kafka.logOf(options);
  const runner = new ProjectionRunner({ database, source, projections });
  const find: Find = (code, where, message) => report({ invariant: 'I4', code, where, message });
  try {
    await runner.prepare();
    for (const status of await runner.list()) {
      await place(status, source, find);
      await compare(runner, status.name, find);
    }
    return projections.map(({ name }) => name);
  } finally {
    await database.end();
  }
}

type Find = (code: string, where: string, message: string) => void;

/** The log's end is asked for after the checkpoints: a server that goes on moves both. */
async function place(
  { name, topics, position, parked }: ProjectionStatus,
  source: EventLog,
  find: Find,
): Promise<void> {
  const heads = await source.heads(topics);
  for (const [key, next] of Object.entries(position))
    if (next > (heads[key] ?? 0))
      find('projection.ahead', `proj.checkpoint ${name} ${key}`, `at ${next}, but the log ends at ${heads[key] ?? 0}`);
  for (const { topic, partition, fromOffset, stream, error } of parked)
    find('projection.parked', `${topic}/${partition}/${fromOffset}`, `${name} put ${stream} aside: ${error}`);
}

const NOT_WHOLE: ReadonlySet<string> = new Set(['log.gap', 'archive.missing', 'archive.damaged']);

/** A rebuild needs a whole log: what is missing there stops it, and is named. */
async function compare(runner: ProjectionRunner, name: string, find: Find): Promise<void> {
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
    if (!(error instanceof EventLogError) || !NOT_WHOLE.has(error.code)) throw error;
    find('projection.gap', `proj.checkpoint ${name}`, `cannot be rebuilt: ${JSON.stringify(error.details)}`);
  }
}

const shown = (value: unknown): string => JSON.stringify(value) ?? 'nothing';
