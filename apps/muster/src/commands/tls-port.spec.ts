import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canRun } from '../../../../test/support/prerequisites.js';
import { temporaryFolder } from '../../../../test/support/processes.js';
import { proxyAuthority } from '../../../../test/support/server.js';
import { checkHandsetPort, checkPeoplePort, portFindings } from './tls-port.js';

const folder = temporaryFolder('tls-port');
let server: Server;
let port = 0;
let ca = '';
let certificate = '';

describe.skipIf(!canRun('openssl'))('a port under TLS', () => {
  beforeAll(async () => {
    const made = proxyAuthority(folder.path);
    ca = readFileSync(made.ca, 'utf8');
    certificate = readFileSync(made.certificate, 'utf8');
    server = createServer({ key: readFileSync(made.key), cert: `${certificate}\n${ca}` });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ({ port } = server.address() as AddressInfo);
  });
  afterAll(() => {
    server?.close();
    folder.remove();
  });

  const states = (findings: { check: string; state: string }[]) =>
    Object.fromEntries(findings.map(({ check, state }) => [check.split(': ')[1] ?? check, state]));

  it('is well under the CA that is trusted, save that two days are few', async () => {
    const findings = await checkPeoplePort(`https://127.0.0.1:${port}`, ca);
    expect(states(findings)).toEqual({ chain: 'ok', names: 'ok', certificate: 'bad', CA: 'bad' });
    expect(findings.find(({ check }) => check === 'people port: names')?.detail).toBe('127.0.0.1, localhost');
  });

  it('is not well under a CA that is not trusted', async () =>
    expect(states(await checkPeoplePort(`https://localhost:${port}`, undefined)).chain).toBe('bad'));

  it('is told from one of another CA than the one that enrolments pinned', async () => {
    const fingerprint = new X509Certificate(ca).fingerprint256.replaceAll(':', '').toLowerCase();
    expect(states(await checkHandsetPort(`https://localhost:${port}`, fingerprint)).chain).toBe('ok');
    expect(states(await checkHandsetPort(`https://localhost:${port}`, 'ab'.repeat(32)))).toEqual({
      'handset port': 'bad',
    });
  });

  it('has a name that is not in its certificate', () => {
    const leaf = new X509Certificate(certificate);
    const refusal = `ERR_TLS_CERT_ALTNAME_INVALID`;
    const findings = portFindings('handset port', 'https://elsewhere:8443', { leaf, issuer: undefined, refusal }, 0);
    expect(states(findings)).toEqual({ chain: 'ok', names: 'bad', certificate: 'ok' });
  });

  it('has a certificate that is good for long enough, or not', () => {
    const leaf = new X509Certificate(certificate);
    const at = (daysBefore: number) =>
      portFindings(
        'p',
        'u',
        { leaf, issuer: leaf, refusal: undefined },
        Date.parse(leaf.validTo) - daysBefore * 86_400_000,
      );
    expect(states(at(30.5))).toMatchObject({ certificate: 'bad', CA: 'bad' });
    expect(states(at(31))).toMatchObject({ certificate: 'ok', CA: 'ok' });
  });
});
