import { describe } from 'vitest';
import { hasKafka, kafkaInstallation } from '../../../../test/support/kafka.js';
import { platformaticClient } from '../../../../test/support/platformatic-client.js';
import { eventCatalog } from '../catalog.js';
import type { EventLog } from '../event-log.js';
import { contractDefinitions, logContract } from '../log-contract.js';
import { logModel } from '../log-model.js';
import { KafkajsClient } from './kafkajs-client.js';

const libraries = {
  kafkajs: (brokers: readonly string[]) => new KafkajsClient({ brokers }),
  '@platformatic/kafka': platformaticClient,
};

/** Answers as of the call: what was committed by then has been relayed. While it reads, others go on appending. */
const asOfNow = (reader: EventLog, relayed: () => Promise<void>): EventLog => ({
  append: (...all) => reader.append(...all),
  appendFacts: (...all) => reader.appendFacts(...all),
  readStream: async (...all) => relayed().then(() => reader.readStream(...all)),
  read: async (...all) => relayed().then(() => reader.read(...all)),
  readTolerantly: async (...all) => relayed().then(() => reader.readTolerantly(...all)),
  heads: async (...all) => relayed().then(() => reader.heads(...all)),
  waitForAppend: (...all) => reader.waitForAppend(...all),
});

describe.skipIf(!hasKafka())('on a broker,', () => {
  for (const [name, open] of Object.entries(libraries))
    logContract(`the Kafka log by ${name}`, async () => {
      const { writer, reader, relay, relayed, close } = await kafkaInstallation(eventCatalog(contractDefinitions), {
        open,
      });
      relay().start();
      return { writer, reader: asOfNow(reader, relayed), close };
    });

  logModel(
    'the Kafka log',
    async () => {
      const { writer, reader, relay, relayed, freshReader, close } = await kafkaInstallation(
        eventCatalog(contractDefinitions),
      );
      relay().start();
      const reopen = async () => ({ writer, reader: asOfNow(await freshReader(), relayed) });
      return { writer, reader: asOfNow(reader, relayed), reopen, close };
    },
    5,
  );
});
