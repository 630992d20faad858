import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { CertificateAuthority } from '#identity/nest/identity.module.js';
import { DomainError } from '#runtime/index.js';
import type { MusterServer } from '#runtime/nest/runtime.module.js';
import { HandsetAddress } from './installation.controller.js';
import { derived, type MusterConfig } from './muster.config.js';

export interface Addresses {
  url: string;
  handsetUrl: string;
}

/** A port cannot be opened. */
export class ListenError extends DomainError<'port.unavailable'> {}

const DAY_MS = 86_400_000;

/** Opens the ports under certificates of the installation's own CA, which are issued anew each day. */
export async function listen(
  server: MusterServer,
  config: MusterConfig,
): Promise<{ addresses: Addresses; stopRenewing: () => void }> {
  const authority = server.app.get(CertificateAuthority);
  const { hosts, isLoopback, data } = derived(config);
  const { host } = config;
  const tls = await authority.serverTls(hosts);
  // What `muster --ca` and browsers need to know the people's port by, beyond loopback.
  writeFileSync(path.join(data, 'server-ca.pem'), await authority.serverCa(), { mode: 0o644 });
  const people = { host, port: config.port, ...(isLoopback ? {} : { tls: { key: tls.key, cert: tls.cert } }) };
  const ports = await server.listen({ people, handset: { host, port: config.handsetPort, tls } }).catch(explain);
  const named = hostInUrl(config.hosts[0] ?? host);
  const handsetUrl = `https://${named}:${ports.handset}`;
  server.app.get(HandsetAddress).url = handsetUrl;
  const renewal = setInterval(() => void renew(server, authority, hosts), DAY_MS);
  renewal.unref();
  const url = `${isLoopback ? 'http' : 'https'}://${named}:${ports.people}`;
  return { addresses: { url, handsetUrl }, stopRenewing: () => clearInterval(renewal) };
}

/** A port that another program has is the usual reason; the variable says how to take another. */
function explain(error: NodeJS.ErrnoException & { port?: number }): never {
  if (error.code !== 'EADDRINUSE' && error.code !== 'EACCES' && error.code !== 'EADDRNOTAVAIL') throw error;
  const settings = 'MUSTER_HOST, MUSTER_PORT or MUSTER_HANDSET_PORT';
  const { code, port } = error;
  throw new ListenError('port.unavailable', { code, port }, `${error.message}: choose another by ${settings}`);
}

/** A day on which this fails is no harm: the certificate before is good for a year. */
async function renew(server: MusterServer, authority: CertificateAuthority, hosts: readonly string[]): Promise<void> {
  const tls = await authority.serverTls(hosts).catch(() => undefined);
  if (tls !== undefined) server.renew({ people: { key: tls.key, cert: tls.cert }, handset: tls });
}

/** An address that a client can use: a wildcard is none, and IPv6 goes in brackets. */
function hostInUrl(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
