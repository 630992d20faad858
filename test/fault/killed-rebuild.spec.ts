import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultyInstallation } from '../support/faulty.js';
import { eventually } from '../support/processes.js';

/*
 * The server is killed by SIGKILL while it rebuilds a read model: before the swap, in the middle of its transaction and
 * after its commit. What people read is the old tables or the new, never a mix, and nothing of the others stays behind.
 */

const NAME = 'campaign_progress';
const POINTS = [
  ['rebuild.before-swap', 'old'],
  ['rebuild.in-swap', 'old'],
  ['rebuild.after-swap', 'new'],
] as const;

let muster: FaultyInstallation;
let campaignId = '';

beforeAll(async () => {
  muster = await FaultyInstallation.start('killed-rebuild');
  const contentId = await muster.publish(Buffer.from('content'));
  campaignId = await muster.draft([contentId]);
});
afterAll(() => muster.stop());

const live = async () => {
  const [row] = await muster.sql<{ schema: string }>('select schema from proj.generation where projection = $1', [
    NAME,
  ]);
  return row!.schema;
};
const schemas = async () =>
  (
    await muster.sql<{ name: string }>(`select nspname as name from pg_namespace where nspname ~ $1`, [`_${NAME}_`])
  ).map(({ name }) => name);

describe('a rebuild that is killed', () => {
  it.each(POINTS)('%s leaves the %s tables, whole', async (point, which) => {
    await muster.expectCaughtUp();
    const before = await live();
    muster.arm(`${point}:kill`);
    await muster.unlessGone(muster.people('POST', `/v1/projections/${NAME}/rebuild`));
    await muster.killed();
    expect((await live()) === before ? 'old' : 'new').toBe(which);
    await muster.restart();
    expect((await live()) === before ? 'old' : 'new').toBe(which);
    expect(await muster.ok('GET', `/v1/campaigns/${campaignId}/progress`)).toMatchObject({ campaignId });
    await muster.expectSound();
    const left = await live();
    await eventually('only the live tables are left', async () => {
      const found = await schemas();
      return found.length === 1 && found[0] === left ? true : undefined;
    });
  });
});
