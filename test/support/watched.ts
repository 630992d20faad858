import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Exchange, type Proxy, recordingProxy } from './proxies.js';
import type { Handset, proxyAuthority } from './server.js';

export type Watch = Proxy & { exchanges: Exchange[] };

/** Puts a recording proxy between an enrolled handset and the server at `target`: from now on the agent believes that it is the server. */
export async function watch(
  { folder }: Handset,
  target: number,
  authority: ReturnType<typeof proxyAuthority>,
): Promise<Watch> {
  const where = path.join(folder, 'identity.json');
  const identity = JSON.parse(readFileSync(where, 'utf8')) as { key: string; certificate: string };
  const file = (name: string, text: string): string => {
    writeFileSync(path.join(folder, name), text);
    return path.join(folder, name);
  };
  const proxy = await recordingProxy(target, {
    serverKey: authority.key,
    serverCertificate: authority.certificate,
    deviceKey: file('device.key', identity.key),
    deviceCertificate: file('device.pem', identity.certificate),
  });
  const seen = { server: `https://127.0.0.1:${proxy.port}`, serverCa: readFileSync(authority.ca, 'utf8') };
  writeFileSync(where, JSON.stringify({ ...identity, ...seen }));
  return proxy;
}
