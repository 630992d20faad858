import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultyInstallation, printTally, TEST_BUILD } from '../support/faulty.js';
import { GivenPostgres } from '../support/given-postgres.js';
import { type Server, startServer } from '../support/server.js';

/*
 * F06: two servers on one database, and racing commands on one stream, each with the version that its client has read.
 * Our own history check: one winner a version, and who was answered before another began has the lower version.
 */

const COMMANDS = 1_000;
const CLIENTS = 8;

let postgres: GivenPostgres;
let muster: FaultyInstallation;
let second: Server;

beforeAll(async () => {
  postgres = await GivenPostgres.start();
  muster = await FaultyInstallation.start('racing-servers', { DATABASE_URL: postgres.url }, postgres.data);
  const { server, folder } = muster;
  const kek = { MUSTER_KEK_FILE: path.join(server.data, 'keys', 'kek') };
  second = await startServer({
    data: path.join(folder.path, 'second'),
    env: { ...TEST_BUILD, ...kek, DATABASE_URL: postgres.url },
  });
});
afterAll(async () => {
  await second?.process.stop(); // its broker is the first's, who is audited
  await muster?.stop();
  await postgres?.remove();
});

interface Win {
  version: number;
  name: string;
  invokedAt: number;
  answeredAt: number;
}

describe('two servers on one stream', () => {
  it(`F06, ${COMMANDS} racing commands: one winner a version, every loser is told, and the order is that of real time`, async () => {
    const contentId = await muster.publish(Buffer.from('content'));
    const campaignId = await muster.draft([contentId]);
    const first = muster.server;
    const wins: Win[] = [];
    const losses = new Map<string, number>();
    let left = COMMANDS;
    const client = async (who: number) => {
      const url = who % 2 === 0 ? first.url : second.url;
      const headers = { authorization: `Bearer ${muster.admin}`, 'content-type': 'application/json' };
      const at = `${url}/v1/campaigns/${campaignId}`;
      while (left-- > 0) {
        const etag = (await fetch(at, { headers })).headers.get('etag') ?? '';
        const name = `by ${who}, ${left} left`;
        const invokedAt = performance.now();
        const body = JSON.stringify({ name, contents: [contentId] });
        const answer = await fetch(at, { method: 'PUT', headers: { ...headers, 'if-match': etag }, body });
        const said = (await answer.json()) as { version: number; code?: string };
        if (answer.status === 200) wins.push({ version: said.version, name, invokedAt, answeredAt: performance.now() });
        else losses.set(`${answer.status} ${said.code}`, (losses.get(`${answer.status} ${said.code}`) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, (_, who) => client(who)));

    const history = await muster.sql<{ version: number; name: string }>(
      `select ver::int as version, data ->> 'name' as name from log.record
       where topic = 'muster.campaign' and stream = 'main/' || $1 and type like '%campaign-edited%' order by ver`,
      [campaignId],
    );
    const ordered = wins.toSorted((a, b) => a.version - b.version);
    expect(ordered.map(({ version, name }) => ({ version, name }))).toEqual(history);
    const reversed = ordered.filter((win, i) => ordered.slice(i + 1).some((later) => later.answeredAt < win.invokedAt));
    expect(reversed).toEqual([]);
    expect([...losses.keys()]).toEqual(['412 precondition.failed']);
    const doubled = history.length - new Set(history.map(({ name }) => name)).size;
    const lost = [...losses.values()].reduce((sum, n) => sum + n, 0);
    printTally('F06', { acknowledged: wins.length, recovered: history.length, doubled, lost });
    expect(wins.length + lost).toBe(COMMANDS);
    await muster.expectSound();
  });
});
