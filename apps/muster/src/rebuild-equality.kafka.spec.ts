import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { campaignProjections } from '#campaign/nest/campaign.module.js';
import { TOPICS } from '#event-log/index.js';
import { insightProjections } from '#insight/index.js';
import { testDatabase } from '../../../test/support/database.js';
import { hasKafka, type KafkaInstallation, kafkaInstallation } from '../../../test/support/kafka.js';
import {
  compare,
  type Compared,
  expectEqual,
  type Place,
  report,
  script,
} from '../../../test/support/rebuild-equality.js';
import { catalog, migrations } from './rooms.js';

const RUNS = Number(process.env.MUSTER_PROPERTY_RUNS ?? 1);
const duplicate = fc.record({ kind: fc.constant('duplicate' as const), which: fc.nat(9_999) });

/** Sends the end of some partition again, as a producer does whose acknowledgement was lost. */
async function sendAgain({ client }: KafkaInstallation, which: number): Promise<void> {
  const filled = [...(await client.ends(TOPICS))].flatMap(([topic, ends]) =>
    ends.flatMap((end, partition) => (end > 0 ? [{ topic, partition, end }] : [])),
  );
  const chosen = filled[which % filled.length];
  if (chosen === undefined) return;
  const { topic, partition, end } = chosen;
  const { records } = await client.fetch(topic, partition, which % end, 1_000_000);
  const again = records.map(({ key, value, headers }) => ({
    key: String(key),
    value: String(value),
    headers: Object.fromEntries(Object.entries(headers).map(([name, bytes]) => [name, String(bytes)])),
  }));
  if (again.length > 0) await client.send([{ topic, partition, records: again }]);
}

/** Topics of their own, and the read models in another database than the log's. */
async function place(): Promise<Place> {
  const clock = { ms: Date.parse('2026-11-24T08:00:00.000Z'), now: () => clock.ms };
  const k = await kafkaInstallation(catalog, { clock });
  const tables = await testDatabase(migrations);
  k.relay().start();
  return {
    stage: { log: k.writer, database: k.db.database('muster_campaign'), keyring: k.keyring, clock },
    reader: k.reader,
    tables,
    duplicate: (which) => sendAgain(k, which),
    end: async () => {
      await k.relayed();
      return k.reader.heads();
    },
    freshReader: () => k.freshReader(),
    close: async () => {
      await k.close();
      await tables.drop();
    },
  };
}

describe.skipIf(!hasKafka())('read models', () => {
  it(
    'are the same live and in every rebuild from Kafka, after any script of commands and duplicates',
    async () => {
      const seed = Number(process.env.MUSTER_PROPERTY_SEED ?? randomBytes(4).readInt32BE());
      const played: Compared[] = [];
      await fc.assert(
        fc.asyncProperty(script([duplicate]), async (each) => {
          const at = await place();
          try {
            const found = await compare(each, [...campaignProjections, ...insightProjections], at, migrations);
            expectEqual(found);
            played.push(found);
          } finally {
            await at.close();
          }
        }),
        { numRuns: RUNS, seed, endOnFailure: true },
      );
      report('rebuild equality on Kafka', seed, played);
    },
    120_000 + RUNS * 60_000,
  );
});
