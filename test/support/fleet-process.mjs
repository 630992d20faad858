/**
 * Many handsets in one process, each an agent of the SDK on a folder of its own: `node fleet-process.mjs <folder>`, where
 * fleet.json says which. JavaScript, because Node runs it on the product's own build. What it prints is JSON lines; all
 * that the test asks of it lies in the folders, so that it may be killed at any moment and started again.
 */
import { setMaxListeners } from 'node:events';
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectByHttps, createAgent, enrolHandset, fileStore, readIdentity } from '#handset/index.js';

const folder = process.argv[2] ?? '';
const { server, caFingerprint, handsets } = JSON.parse(readFileSync(path.join(folder, 'fleet.json'), 'utf8'));
const ENROL_AT_ONCE = 4;
/** Real handsets have a processor each; here the handshakes of hundreds that wake together would all be too late. */
const EXCHANGES_AT_ONCE = 8;
const RETRY_MS = 1_000;
const stopped = new AbortController();
setMaxListeners(0, stopped.signal); // every agent listens
process.once('SIGTERM', () => stopped.abort());

/** Lets at most so many go on at a time; the others wait for their turn. */
function turns(atOnce) {
  const waiting = [];
  let going = 0;
  return async (work) => {
    if (going >= atOnce) await new Promise((resolve) => waiting.push(resolve));
    going += 1;
    try {
      return await work();
    } finally {
      going -= 1;
      waiting.shift()?.();
    }
  };
}

const enrolInTurn = turns(ENROL_AT_ONCE);
const sendInTurn = turns(EXCHANGES_AT_ONCE);

const say = (event, fields = {}) => process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);

/** Only what would be a mistake of the agent's is told: that polls fail is what the test is about. */
const log = (name) => ({
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: (event, fields) => say(event, { name, ...fields }),
});

async function enrolled(store, { name, code }) {
  while (readIdentity(store) === undefined && !stopped.signal.aborted)
    try {
      await enrolHandset(store, { server, caFingerprint, code });
    } catch (error) {
      if (error.code === undefined) throw error;
      say('enrol.retry', { name, code: error.code, details: error.details });
      await sleep(RETRY_MS);
    }
}

function connect(identity) {
  const transport = connectByHttps(identity);
  return { ...transport, send: (request) => sendInTurn(() => transport.send(request)) };
}

function agentOf(store, at, { name, attributes }) {
  // One line a run of the hook: a content that is installed twice has two.
  const install = async (_file, { name: content }) => appendFileSync(path.join(at, 'installed'), `${content}\n`);
  const hooks = { collect: async () => attributes, install };
  return createAgent({ store, hooks, connect, log: log(name), gates: { reserveBytes: 0 } });
}

async function live(handset) {
  const at = path.join(folder, handset.name);
  mkdirSync(at, { recursive: true });
  const store = fileStore(path.join(at, 'store'));
  if (readIdentity(store) === undefined) await enrolInTurn(() => enrolled(store, handset));
  if (stopped.signal.aborted) return;
  const agent = agentOf(store, at, handset);
  await agent.run({ signal: stopped.signal });
  await agent.close();
}

say('fleet.started', { handsets: handsets.length });
await Promise.all(
  handsets.map((handset) =>
    live(handset).catch((error) => {
      say('agent.failed', { name: handset.name, error: String(error?.stack ?? error) });
      process.exitCode = 1;
    }),
  ),
);
