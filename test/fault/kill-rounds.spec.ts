import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Agents } from '../support/agents.js';
import { FaultyInstallation, ROUNDS } from '../support/faulty.js';
import { GivenKafka, isOnKafka } from '../support/given-kafka.js';
import { GivenPostgres } from '../support/given-postgres.js';
import { Reporters } from '../support/reporters.js';

/*
 * One installation, killed again and again at all its parts in turn. What was answered with success (campaigns drafted by a
 * manager, facts and installs of handsets) is there at the end, once. On Postgres there is no relay and no broker to kill.
 */

/**
 * A claim of a key whose request was cut off lapses after this, by the server's clock. It is set right after each round: TLS
 * clients go by the machine's, and take no certificate of a server that is an hour ahead.
 */
const CLAIM_LAPSES_MS = 61_000;
const HANDSETS = 2;
/** Of the agent's 100 or so; with a step that shares no factor, so that all of them come. */
const WRITE_POINTS = { count: 97, step: 13 };

const bytes = randomBytes(20_000);
const sha256 = createHash('sha256').update(bytes).digest('hex');

let kafka: GivenKafka | undefined;
let postgres: GivenPostgres;
let muster: FaultyInstallation;
let contentId = '';
let reporters: Reporters;
let agents: Agents;
let turned = 0;

beforeAll(async () => {
  kafka = isOnKafka('kills of relay and broker') ? await GivenKafka.start() : undefined;
  postgres = await GivenPostgres.start();
  const env = { ...kafka?.settings, DATABASE_URL: postgres.url };
  muster = await FaultyInstallation.start('kill-rounds', env, postgres.data);
  contentId = await muster.publish(bytes);
  reporters = await Reporters.enrol(muster, HANDSETS, contentId);
  agents = new Agents(muster, { contentId, sha256 });
});
afterAll(async () => {
  await muster?.stop();
  await postgres?.remove();
  await kafka?.remove();
});

/** A campaign under this name, asked for until it is answered, as a client does, with one key. */
async function draft(name: string): Promise<string> {
  const headers = { 'idempotency-key': randomUUID() };
  for (;;) {
    const asked = muster.people('POST', '/v1/campaigns', { body: { name, contents: [contentId] }, headers });
    const answer = await muster.unlessGone(asked);
    if (answer?.status === 201) return name;
    if (answer?.status === 409) muster.turnClock((turned += CLAIM_LAPSES_MS));
    await sleep(300);
  }
}

const work = async (round: number): Promise<string[]> => {
  const [name] = await Promise.all([draft(`round ${round}`), reporters.reportAll()]);
  return [name];
};

/** The server is killed at the failpoint by what is asked of it, and started again while clients go on asking. */
const serverAt = (point: string) => async (round: number) => {
  muster.arm(`${point}:kill`);
  const [done] = await Promise.all([work(round), muster.restart()]);
  return done;
};

async function postgresKilled(round: number): Promise<string[]> {
  const working = work(round);
  await sleep((round * 37) % 200);
  await postgres.kill();
  await postgres.start();
  return working;
}

async function brokerKilled(round: number): Promise<string[]> {
  const working = work(round);
  await sleep((round * 37) % 200);
  await kafka?.kill();
  const whileAway = await draft(`round ${round}, no broker`);
  await kafka?.start();
  return [...(await working), whileAway];
}

const installs: { device: string; held: boolean }[] = [];

/** @returns the device; one install is acknowledged when the server has its report */
async function agentKilled(round: number): Promise<string[]> {
  const agent = await agents.enrol(`agent-${round}`);
  const point = 1 + ((round * WRITE_POINTS.step) % WRITE_POINTS.count);
  await agents.pollWith(agent, `store.step:kill:${point}`);
  const { held } = await agents.recover(agent);
  installs.push({ device: agent.deviceId, held });
  return work(round);
}

const FAULTS: { fault: string; strike: (round: number) => Promise<string[]>; isOfKafka?: boolean }[] = [
  { fault: 'server before commit', strike: serverAt('append.before-commit') },
  { fault: 'server after commit', strike: serverAt('append.after-commit') },
  { fault: 'relay after produce', strike: serverAt('relay.after-produce'), isOfKafka: true },
  { fault: 'read model before checkpoint', strike: serverAt('projection.before-checkpoint') },
  { fault: 'agent at a write', strike: agentKilled },
  { fault: 'Postgres', strike: postgresKilled },
  { fault: 'broker', strike: brokerKilled, isOfKafka: true },
];

interface Line {
  of: string;
  rounds: number;
  acknowledged: number;
  recovered: number;
  lost: number;
  doubled: number;
}

const lineOf = (
  of: string,
  rounds: number,
  acknowledged: number,
  found: { recovered: number; doubled: number },
): Line => {
  const { recovered, doubled } = found;
  return { of, rounds, acknowledged, recovered, lost: acknowledged - recovered, doubled };
};

async function campaignsFound(names: readonly string[]): Promise<{ recovered: number; doubled: number }> {
  const rows = await muster.sql<{ n: number }>(
    `select count(*)::int as n from log.record
     where topic = 'muster.campaign' and type like '%campaign-drafted%' and data ->> 'name' = any($1)
     group by data ->> 'name'`,
    [names],
  );
  return { recovered: rows.length, doubled: rows.filter(({ n }) => n > 1).length };
}

/** Held by the handset, and once in the read model of its history. */
async function installsFound(): Promise<{ recovered: number; doubled: number }> {
  const rows = await muster.sql<{ device_id: string; n: number }>(
    `select device_id, count(*)::int as n from proj.p_device_timeline_line_v1
     where event = 'InstallReported' and device_id = any($1) group by device_id`,
    [installs.map(({ device }) => device)],
  );
  const reported = new Set(rows.map(({ device_id }) => device_id));
  const recovered = installs.filter(({ device, held }) => held && reported.has(device)).length;
  return { recovered, doubled: rows.filter(({ n }) => n > 1).length };
}

const faults = FAULTS.filter(({ isOfKafka = false }) => !isOfKafka || process.env.MUSTER_TEST_LOG === 'kafka');
const rounds = process.env.MUSTER_FAULT_ROUNDS === undefined ? faults.length : ROUNDS;

describe('an installation that is killed everywhere in turn', () => {
  it(`loses nothing that was acknowledged, and doubles nothing, in ${rounds} rounds`, async () => {
    const names = new Map(faults.map(({ fault }) => [fault, [] as string[]]));
    const struck = new Map(faults.map(({ fault }) => [fault, 0]));
    for (let round = 0; round < rounds; round += 1) {
      const { fault, strike } = faults[round % faults.length]!;
      names.get(fault)?.push(...(await strike(round)));
      struck.set(fault, (struck.get(fault) ?? 0) + 1);
      muster.turnClock((turned = 0));
      if (round % 25 === 24) console.log(`round ${round + 1} of ${rounds}, ${reporters.acknowledged.length} facts`);
    }
    await muster.expectCaughtUp();
    const lines: Line[] = [];
    for (const [fault, all] of names)
      lines.push(lineOf(`campaigns, ${fault}`, struck.get(fault) ?? 0, all.length, await campaignsFound(all)));
    lines.push(lineOf('facts of handsets', rounds, reporters.acknowledged.length, await reporters.found(kafka)));
    lines.push(lineOf('installs by agents', installs.length, installs.length, await installsFound()));
    console.log(tableOf(lines));
    for (const line of lines) expect(line).toMatchObject({ lost: 0, doubled: 0 });
    await kafka?.relayed(muster);
    await muster.expectSound();
  });
});

function tableOf(lines: readonly Line[]): string {
  const columns = ['of', 'rounds', 'acknowledged', 'recovered', 'lost', 'doubled'] as const;
  const cells = [columns, ...lines.map((line) => columns.map((column) => String(line[column])))];
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => row[i]!.length)));
  return cells.map((row) => row.map((cell, i) => cell.padEnd(widths[i]!)).join('  ')).join('\n');
}
