import { X509Certificate } from 'node:crypto';
import { connect } from 'node:tls';
import { type Finding, finding } from './finding.js';

const TIMEOUT_MS = 5_000;
const DAY_MS = 86_400_000;
/** The server issues itself a new certificate every day, so that a short rest means that it does not. */
const REST_DAYS = 30;

interface Shown {
  leaf: X509Certificate;
  /** What the server sends above it; undefined when it sends nothing. */
  issuer: X509Certificate | undefined;
  /** Why a client with this trust would not go on. */
  refusal: string | undefined;
}

/** Whether handsets find the port, the CA that their enrolment pinned, the name that they use, and time left. */
export async function checkHandsetPort(url: string, caFingerprint: string): Promise<Finding[]> {
  const { issuer } = await shownAt(new URL(url));
  const found = issuer?.fingerprint256.replaceAll(':', '').toLowerCase();
  if (issuer === undefined || found !== caFingerprint)
    return [finding('handset port', false, `${url} shows a certificate of another CA`)];
  return portFindings('handset port', url, await shownAt(new URL(url), issuer.toString()), Date.now());
}

/** The same of the people's port. @param ca  PEM that this machine is told to trust, instead of what it trusts itself */
export const checkPeoplePort = async (url: string, ca: string | undefined): Promise<Finding[]> =>
  portFindings('people port', url, await shownAt(new URL(url), ca), Date.now());

export function portFindings(port: string, url: string, { leaf, issuer, refusal }: Shown, now: number): Finding[] {
  const names = (leaf.subjectAltName ?? 'none').replaceAll(/(DNS|IP Address):/g, '');
  const isName = refusal !== undefined && /altname|does not match/i.test(refusal);
  const daysOf = (certificate: X509Certificate) => Math.floor((Date.parse(certificate.validTo) - now) / DAY_MS);
  return [
    finding(`${port}: chain`, refusal === undefined || isName, isName ? url : `${url}${said(refusal)}`),
    finding(`${port}: names`, !isName, isName ? `${url}${said(refusal)}` : names),
    finding(`${port}: certificate`, daysOf(leaf) > REST_DAYS, `good for ${daysOf(leaf)} days`),
    ...(issuer === undefined
      ? []
      : [finding(`${port}: CA`, daysOf(issuer) > REST_DAYS, `good for ${daysOf(issuer)} days`)]),
  ];
}

const said = (refusal: string | undefined): string => (refusal === undefined ? '' : `: ${refusal}`);

/** Connects whatever the certificate is, and tells what a client that minds would say of it. */
function shownAt({ hostname, port }: URL, ca?: string): Promise<Shown> {
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    const options = { host, port: Number(port || 443), rejectUnauthorized: false, ...(ca === undefined ? {} : { ca }) };
    const socket = connect(options, () => {
      const { raw, issuerCertificate } = socket.getPeerCertificate(true);
      const isAlone = issuerCertificate === undefined || issuerCertificate.raw.equals(raw);
      resolve({
        leaf: new X509Certificate(raw),
        issuer: isAlone ? undefined : new X509Certificate(issuerCertificate.raw),
        refusal: socket.authorized ? undefined : String(socket.authorizationError),
      });
      socket.destroy();
    });
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`${host}:${port} does not answer`)));
    socket.once('error', reject);
  });
}
