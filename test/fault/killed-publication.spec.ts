import { readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultyInstallation, printTally } from '../support/faulty.js';
import { expectStatus } from '../support/installation.js';
import { eventually } from '../support/processes.js';

/*
 * F21: the server is killed while the bytes of a content get their name. F28: it is killed at each step of publishing a
 * catalogue. Clients see the old state or the new one, never a mixture, and what was begun is finished after the start.
 */

let muster: FaultyInstallation;

beforeAll(async () => {
  muster = await FaultyInstallation.start('killed-publication');
  await muster.settledEnd();
});
afterAll(() => muster?.stop());

interface Metadata {
  signed: { version: number; meta?: Record<string, { version: number }>; targets?: Record<string, unknown> };
}

const metadata = async (name: string): Promise<Metadata> => {
  const answer = await muster.handset('GET', `/tuf/main/main/${name}`);
  return JSON.parse(expectStatus(answer, 200).bytes.toString('utf8')) as Metadata;
};

/** Follows the catalogue from its timestamp, each file by the version that the file before names. */
async function catalogue(): Promise<{ snapshot: number; contents: string[] }> {
  const timestamp = await metadata('timestamp.json');
  const snapshotVersion = timestamp.signed.meta!['snapshot.json']!.version;
  const snapshot = await metadata(`${snapshotVersion}.snapshot.json`);
  expect(snapshot.signed.version).toBe(snapshotVersion);
  for (const [name, { version }] of Object.entries(snapshot.signed.meta!))
    expect((await metadata(`${version}.${name}`)).signed.version).toBe(version);
  const { version } = snapshot.signed.meta!['catalogue.json']!;
  const { targets = {} } = (await metadata(`${version}.catalogue.json`)).signed;
  return { snapshot: snapshotVersion, contents: Object.keys(targets).map((name) => name.split('/').at(-1)!) };
}

describe('a server that is killed while it publishes', () => {
  it.each(['content.before-rename', 'content.after-rename', 'append.before-commit'])(
    'F21, at %s: the content is not there until the order is repeated, then it is there once, with its bytes',
    async (point) => {
      const bytes = Buffer.from(`bytes for ${point}`);
      const uploadId = await muster.upload(bytes);
      const body = { uploadId, description: { name: 'radio.bin', version: '1' } };
      muster.arm(`${point}:kill`);
      expect(await muster.unlessGone(muster.people('POST', '/v1/contents', { body }))).toBeUndefined();
      await muster.restart();
      expectStatus(await muster.people('GET', `/v1/contents/${uploadId}`), 404);
      const { contentId } = await muster.ok<{ contentId: string }>('POST', '/v1/contents', { body });
      expect(contentId).toBe(uploadId);
      const published = await muster.sql(
        `select 1 from log.record where topic = 'muster.content' and stream = 'main/' || $1`,
        [contentId],
      );
      const files = readdirSync(path.join(muster.server.data, 'contents'), { recursive: true }) as string[];
      expect(files.filter((name) => name.includes(uploadId))).toEqual([]); // no half-named file stays
      await muster.expectSound();
      printTally(`F21 ${point}`, {
        acknowledged: 1,
        recovered: published.length > 0 ? 1 : 0,
        doubled: published.length - 1,
      });
      expect(published.length).toBe(1);
    },
  );

  const STEPS = [
    'publish.file:kill:1',
    'publish.file:kill:2',
    'publish.file:kill:3',
    'publish.before-record:kill',
    'append.before-commit:kill',
    'append.after-commit:kill',
  ];
  it('F28, at each step: the old catalogue or the new one, never a mixture, and the new one within seconds of the start', async () => {
    const contentId = await muster.publish(Buffer.from('offered'));
    let recovered = 0;
    let mixed = 0;
    for (const step of STEPS) {
      const campaignId = await muster.draft([contentId], { name: step });
      await muster.settledEnd();
      const before = await catalogue();
      const order = (verb: string) =>
        muster.unlessGone(
          muster.people('POST', `/v1/campaigns/${campaignId}/${verb}`, { body: {}, headers: { 'if-match': '*' } }),
        );
      if (step.startsWith('publish')) {
        muster.arm(step); // before the start, which the publication follows at once
        await order('schedule');
      } else {
        // The start is an append of its own: armed after it.
        await order('schedule');
        await muster.recorded('CampaignStarted');
        muster.arm(step);
        await order('pause');
      }
      await muster.restart();
      const seen = await catalogue();
      if (seen.snapshot < before.snapshot) mixed += 1;
      const wanted = `${before.snapshot}`;
      const after = await eventually('a catalogue follows', async () => {
        const now = await catalogue();
        return String(now.snapshot) !== wanted ? now : undefined;
      });
      if (after.snapshot > before.snapshot) recovered += 1;
      await muster.ok('POST', `/v1/campaigns/${campaignId}/abort`, {
        body: { reason: 'test' },
        headers: { 'if-match': '*' },
      });
    }
    const published = await muster.sql<{ version: number; n: string }>(
      `select (data ->> 'version')::int as version, count(*) as n from log.record
       where topic = 'muster.campaign' and type like '%catalogue-published%' group by 1`,
    );
    const doubled = published.filter(({ n }) => Number(n) > 1).length;
    printTally('F28', { acknowledged: STEPS.length, recovered, doubled, mixed });
    expect({ recovered, doubled, mixed }).toEqual({ recovered: STEPS.length, doubled: 0, mixed: 0 });
    await muster.expectSound();
  });
});
