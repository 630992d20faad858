import { readFileSync, writeFileSync } from 'node:fs';
import type { ChainHead } from '#event-log/index.js';
import { DomainError, processLog } from '#runtime/index.js';
import { type Command, command, type Context } from '../cli/command.js';
import { CliError, EXIT, usage } from '../cli/exit-codes.js';
import type { AuditReport } from '../offline/audit.js';

const audit = command({
  name: 'audit',
  summary: 'Fold the whole event log of this machine and check that everything else agrees with it',
  options: {
    head: { type: 'string', help: "compare with a chain's head that was kept apart", placeholder: 'file' },
    chain: { type: 'string', help: "write the log's chain head, to be kept apart", placeholder: 'file' },
  },
  examples: ['muster audit', 'muster audit --chain head.json', 'muster audit --head head.json --json'],
  run: ({ head, chain }, { out, env }) =>
    offline(async () => {
      // Loaded here: no other command needs the server's modules.
      const [{ audit: run }, { openInstallation }] = await Promise.all([
        import('../offline/audit.js'),
        import('../offline/open.js'),
      ]);
      const kept = head === undefined ? undefined : await readHead(head);
      const installation = await openInstallation(env, processLog('muster', env));
      try {
        const write = (file: string) => (newHead: ChainHead) =>
          writeFileSync(file, `${JSON.stringify(newHead)}\n`, { flush: true });
        const report: AuditReport = await run(installation, {
          kept,
          keep: chain === undefined ? undefined : write(chain),
        });
        show(report, out);
        if (!report.ok) throw new CliError(EXIT.failed, `${report.findings.length} breaches`);
      } finally {
        await installation.close();
      }
    }),
});

async function readHead(file: string): Promise<ChainHead> {
  const { readChainHead } = await import('#event-log/index.js');
  try {
    return readChainHead(readFileSync(file, 'utf8'));
  } catch (error) {
    throw usage(`--head ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function show(report: AuditReport, out: Context['out']): void {
  const { findings, records, streams, sequences, projections, relay } = report;
  const columns = {
    invariant: ({ invariant }: (typeof findings)[number]) => invariant,
    code: ({ code }: (typeof findings)[number]) => code,
    where: ({ where }: (typeof findings)[number]) => where,
    message: ({ message }: (typeof findings)[number]) => message,
  };
  if (out.json || findings.length > 0) out.table(findings, columns, report);
  const { sources, duplicates, holes } = sequences;
  out.note(`${records} records in ${streams} streams; ${sources} sources, ${duplicates} duplicates, ${holes} holes`);
  if (relay !== undefined)
    out.note(
      `${relay.published} of them published to Kafka, ${relay.duplicates} again; ${relay.pending} not published yet`,
    );
  out.note(`${projections.join(', ')} compared with a rebuild: ${findings.length === 0 ? 'all agree' : 'see above'}`);
}

/** A refusal of ours is told in a line. */
export async function offline(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    throw new CliError(EXIT.failed, error.message, undefined, { code: String(error.code), ...error.details });
  }
}

export const auditCommands: readonly Command[] = [audit];
