import { Agent, request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { unpackPolls } from '#campaign/events.js';
import { FaultyInstallation } from '../support/faulty.js';
import type { Enrolled } from '../support/installation.js';

/* The server is told to stop while handsets poll as fast as they can. */

const CONNECTIONS = 8;
/** Five seconds for running requests, and what a slow machine needs. */
const ENDS_MS = 20_000;

let muster: FaultyInstallation;
beforeAll(async () => (muster = await FaultyInstallation.start('stopped-server')));
afterAll(() => muster.stop());

/** Polls on connections that are kept, until the server answers no more. */
class Pollers {
  /** Of the polls that were answered: each has a number of its own. */
  readonly answered: string[] = [];
  private n = 0;
  private readonly agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  private readonly polling: Promise<void[]>;

  constructor(private readonly device: Enrolled) {
    this.polling = Promise.all(Array.from({ length: CONNECTIONS }, () => this.pollUntilRefused()));
  }

  async end(): Promise<void> {
    await this.polling;
    this.agent.destroy();
  }

  private async pollUntilRefused(): Promise<void> {
    for (;;) {
      const trigger = `boot;v=${(this.n += 1)}`;
      const status = await this.poll(trigger).catch(() => undefined);
      if (status !== 200) return;
      this.answered.push(trigger);
    }
  }

  private poll(trigger: string): Promise<number | undefined> {
    const { agent, device } = this;
    const own = { ca: muster.ca, cert: device.certificate, key: device.key.privateKeyPem };
    const at = { host: '127.0.0.1', port: muster.server.handsetPort, path: `${device.tuf}timestamp.json` };
    return new Promise((resolve, reject) => {
      const asking = request({ ...at, ...own, agent, headers: { 'muster-trigger': trigger } }, (answer) => {
        answer
          .once('error', reject)
          .once('end', () => resolve(answer.statusCode))
          .resume();
      });
      asking.once('error', reject).end();
    });
  }
}

const recordedTriggers = async (): Promise<string[]> =>
  (await muster.deviceFacts())
    .filter(({ name }) => name === 'PollsRecorded')
    .flatMap(({ data }) => unpackPolls(data as Parameters<typeof unpackPolls>[0]).map(({ rule }) => rule));

it('ends, and has recorded once each poll that it answered until then', { timeout: 120_000 }, async () => {
  const pollers = new Pollers(await muster.enrol());
  await sleep(2_000); // known by now, so answered by the short cut
  const stopped = muster.server.process.stop('SIGTERM').then(() => 'ended');
  const ended = await Promise.race([stopped, sleep(ENDS_MS, 'goes on', { ref: false })]);
  if (ended !== 'ended') await muster.server.process.stop('SIGKILL');
  await pollers.end();
  expect(ended).toBe('ended');
  await muster.restart();
  const times = new Map<string, number>();
  for (const trigger of await recordedTriggers()) times.set(trigger, (times.get(trigger) ?? 0) + 1);
  const wrong = pollers.answered.filter((trigger) => times.get(trigger) !== 1);
  console.log(`stopped: answered ${pollers.answered.length}, not recorded once ${wrong.length}`);
  expect(wrong).toEqual([]);
});
