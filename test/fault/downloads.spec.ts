import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultyInstallation } from '../support/faulty.js';
import { hostileProxy, type Misbehaviour } from '../support/hostile-proxy.js';
import { eventually } from '../support/processes.js';
import type { Proxy } from '../support/proxies.js';
import { Handset, proxyAuthority } from '../support/server.js';

/*
 * F20: between the real agent and the server stands who tears, lies and never ends. Whatever it does, no file comes to be
 * that is not the signed one: the agent resumes or begins anew and installs once, or declines what has other bytes.
 */

const bytes = randomBytes(300_000);
const sha256 = createHash('sha256').update(bytes).digest('hex');
const TORN_AT = 100_000;

const torn: Misbehaviour = ({ status, headers, body }, response) => {
  response.writeHead(status, headers);
  response.write(body.subarray(0, TORN_AT), () => response.socket?.end());
};
const reset: Misbehaviour = ({ status, headers, body }, response) => {
  response.writeHead(status, headers);
  response.write(body.subarray(0, TORN_AT), () => response.socket?.destroy());
};
const wrongRange: Misbehaviour = ({ status, headers, body }, response) =>
  void response
    .writeHead(status, { ...headers, 'content-range': `bytes ${TORN_AT + 7}-${bytes.length - 1}/${bytes.length}` })
    .end(body);
const whole =
  (etag?: string): Misbehaviour =>
  ({ headers }, response) => {
    const { 'content-range': _, ...others } = headers;
    response
      .writeHead(200, { ...others, etag: etag ?? headers.etag ?? '', 'content-length': String(bytes.length) })
      .end(bytes);
  };
const otherBytes: Misbehaviour = ({ status, headers, body }, response) =>
  void response.writeHead(status, headers).end(body.map((byte) => byte ^ 1));
const endless: Misbehaviour = ({ headers }, response) => {
  const { 'content-length': _, ...others } = headers;
  response.writeHead(200, others);
  const timer = setInterval(() => response.write(Buffer.alloc(65_536)), 5);
  response.on('close', () => clearInterval(timer));
};
const tooLong: Misbehaviour = ({ headers, body }, response) =>
  void response
    .writeHead(200, { ...headers, 'content-length': String(body.length + 1) })
    .end(Buffer.concat([body, body]));
const slow: Misbehaviour = ({ status, headers, body }, response) => {
  response.writeHead(status, headers);
  response.write(body.subarray(0, 100)); // and then nothing: the least rate is 1 KiB/s, looked at each minute
};

let muster: FaultyInstallation;
let authority: ReturnType<typeof proxyAuthority>;
let contentId = '';
const proxies: Proxy[] = [];

beforeAll(async () => {
  muster = await FaultyInstallation.start('downloads');
  authority = proxyAuthority(muster.folder.path);
  contentId = await muster.publish(bytes);
  const campaignId = await muster.draft([contentId]);
  await muster.schedule(campaignId);
  await eventually('the campaign runs', async () => {
    const { status } = await muster.ok<{ status: string }>('GET', `/v1/campaigns/${campaignId}`);
    return status === 'running' || undefined;
  });
});
afterAll(async () => {
  await Promise.all(proxies.map((proxy) => proxy.close()));
  await muster?.stop();
});

/** An enrolled agent, which believes that the hostile proxy is the server. */
async function behindProxy(name: string, misbehaviours: Misbehaviour[]) {
  const handset = new Handset(name, muster.folder.path, { MUSTER_TEST_CLOCK: muster.server.clockFile });
  const { code } = await muster.newCode();
  const fingerprint = createHash('sha256')
    .update(Buffer.from(muster.ca.replace(/-----[^-]+-----|\s/g, ''), 'base64'))
    .digest('hex');
  const at = `https://127.0.0.1:${muster.server.handsetPort}`;
  const said = await handset.text('enrol', at, '--ca', fingerprint, '--code', code);
  const where = path.join(handset.folder, 'identity.json');
  const identity = JSON.parse(readFileSync(where, 'utf8')) as { key: string; certificate: string };
  const keep = (file: string, text: string) => {
    writeFileSync(path.join(handset.folder, file), text, { mode: 0o600 });
    return path.join(handset.folder, file);
  };
  const proxy = await hostileProxy(
    muster.server.handsetPort,
    {
      serverKey: authority.key,
      serverCertificate: authority.certificate,
      deviceKey: keep('device.key', identity.key),
      deviceCertificate: keep('device.pem', identity.certificate),
    },
    misbehaviours,
  );
  proxies.push(proxy);
  const server = `https://127.0.0.1:${proxy.port}`;
  keep('identity.json', JSON.stringify({ ...identity, server, serverCa: readFileSync(authority.ca, 'utf8') }));
  return { handset, proxy, deviceId: (JSON.parse(said) as { deviceId: string }).deviceId };
}

interface Case {
  name: string;
  does: Misbehaviour[];
  /** What the agent says of each poll that brought nothing. */
  says: RegExp;
  /** Whether it goes on from a part. */
  resumes: boolean;
  /** Bytes that are not the signed ones are the content's fault for all the agent can tell: it declines. */
  declines?: true;
}
const CASES: Case[] = [
  { name: 'torn', does: [torn], says: /transport\.interrupted/, resumes: true },
  { name: 'reset', does: [reset], says: /transport\.interrupted/, resumes: true },
  { name: 'wrong-range', does: [torn, wrongRange], says: /server\.malformed/, resumes: true },
  { name: 'whole-to-range', does: [torn, whole()], says: /transport\.interrupted/, resumes: true },
  { name: 'etag-changed', does: [torn, whole('"other"')], says: /transport\.interrupted/, resumes: true },
  { name: 'spliced', does: [torn, otherBytes], says: /transfer\.digest/, resumes: true, declines: true },
  { name: 'endless', does: [endless], says: /transfer\.length/, resumes: false, declines: true },
  { name: 'too-long', does: [tooLong], says: /transfer\.length/, resumes: false, declines: true },
  { name: 'slow', does: [slow], says: /transport\.too-slow/, resumes: true },
];

const POLLS = 3;

describe('a download that goes wrong', () => {
  it.concurrent.each(CASES)('F20, $name: never another file than the signed one, and its own reason', async (one) => {
    const { handset, proxy, deviceId } = await behindProxy(one.name, [...one.does]);
    const file = path.join(handset.folder, 'contents', contentId);
    let said = '';
    let polls = 0;
    while (!existsSync(file) && polls < POLLS) {
      polls += 1;
      said += (await handset.run('poll', '--reserve', '1024')).output;
      if (existsSync(file)) expect(createHash('sha256').update(readFileSync(file)).digest('hex')).toBe(sha256);
    }
    const { items } = await muster.ok<{ items: { name: string; data: object }[] }>(
      'GET',
      `/v1/events?topic=muster.device&subject=${deviceId}&limit=200`,
    );
    const installed = items.filter(({ name }) => name === 'InstallReported').length;
    console.log(`F20 ${one.name}: polls ${polls}, requests for bytes ${proxy.asked.length}, installed ${installed}`);
    expect(said, said).toMatch(one.says);
    expect({ isHeld: existsSync(file), installed }, said).toEqual(
      one.declines ? { isHeld: false, installed: 0 } : { isHeld: true, installed: 1 },
    );
    expect(items.some(({ name }) => name === 'ContentDeclined')).toBe(one.declines === true);
    expect(proxy.asked.some(({ range }) => range !== undefined)).toBe(one.resumes);
  });

  it('leaves the log and every read model sound', async () => {
    await muster.expectSound();
  });
});
