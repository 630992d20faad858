import { readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultyInstallation, printTally, TEST_BUILD } from '../support/faulty.js';
import { expectStatus } from '../support/installation.js';
import { eventually } from '../support/processes.js';
import { audited, onFolder, onKafka } from '../support/server.js';

/*
 * The process that moves old records to files is killed by SIGKILL at each of its steps, beside a server that goes on. Every
 * record is either in the table or in one file, once; who reads the log gets what it got before; and the next run goes on.
 */

const POINTS = [
  ['archive.before-rename', 'table'],
  ['archive.after-rename', 'table'],
  ['archive.before-commit', 'table'],
  ['archive.after-commit', 'file'],
] as const;

let muster: FaultyInstallation;

beforeAll(async () => {
  if (!onKafka()) muster = await FaultyInstallation.start('killed-archive');
});
afterAll(() => muster?.stop());

/** Polls of some handsets, each recorded as a batch. */
async function poll(): Promise<void> {
  for (let i = 0; i < 3; i += 1) {
    const device = await muster.enrol();
    expectStatus(await muster.handset('GET', '/tuf/main/main/timestamp.json', { device }), 200);
  }
  await muster.recorded('PollsRecorded');
  await muster.settledEnd();
}

const archive = (env: Record<string, string> = {}) =>
  onFolder(muster.server, ['archive', '--before', '0s', '--least', '1', '--json'], env);
const files = (): string[] => {
  const folder = path.join(muster.server.data, 'archive');
  return readdirSync(folder).toSorted();
};
const places = () =>
  muster.sql<{ kept: number; archived: number }>(
    `select (select count(*)::int from log.record where topic = 'muster.device') as kept,
       coalesce(sum(next_off - first_off), 0)::int as archived from log.archive`,
  );

describe.skipIf(onKafka())('an archiving that is killed', () => {
  it.each(POINTS)('%s: every record is in the %s, once, and the next run goes on', async (point, where) => {
    await poll();
    const before = await muster.deviceFacts();
    const [earlier] = await places();
    const killed = await archive({ ...TEST_BUILD, MUSTER_FAILPOINT: `${point}:kill` });
    expect(killed.code, killed.output).toBeNull(); // by the signal
    const [at] = await places();
    expect(at!.kept + at!.archived).toBe(earlier!.kept + earlier!.archived);
    expect(at!.archived > earlier!.archived ? 'file' : 'table').toBe(where);
    expect(await muster.deviceFacts()).toEqual(before);
    await muster.expectSound(); // every read model, rebuilt from what is there now, equals the live one
    await audited(muster.server);
    const again = await archive();
    expect(again.code, again.output).toBe(0);
    const [after] = await places();
    expect(after).toMatchObject({ kept: 0, archived: earlier!.kept + earlier!.archived });
    expect(await muster.deviceFacts()).toEqual(before);
    expect(files().filter((name) => name.endsWith('.new'))).toEqual([]);
    const rows = await muster.sql<{ n: number }>('select count(*)::int as n from log.archive');
    const { unnamed } = JSON.parse(again.stdout) as { unnamed: string[] };
    expect(files().length).toBe(rows[0]!.n + unnamed.length);
    await audited(muster.server);
    printTally(point, { acknowledged: before.length, recovered: (await muster.deviceFacts()).length, doubled: 0 });
  });

  it('leaves a server that starts anew with every record, and new facts behind them', async () => {
    const before = await muster.deviceFacts();
    await muster.server.process.stop('SIGKILL');
    await muster.restart();
    expect(await muster.deviceFacts()).toEqual(before);
    await poll();
    const after = await eventually('new facts', async () => {
      const found = await muster.deviceFacts();
      return found.length > before.length ? found : undefined;
    });
    expect(after.slice(0, before.length)).toEqual(before);
    await muster.expectSound();
  });
});
