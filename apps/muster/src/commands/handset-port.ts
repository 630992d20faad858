import { connect, type DetailedPeerCertificate } from 'node:tls';

export interface Installation {
  handsetUrl: string;
  caFingerprint: string;
}

const TIMEOUT_MS = 5_000;
/** The server issues itself a new certificate every day, so that a short rest means that it does not. */
const REST_MS = 30 * 86_400_000;

/** Whether handsets find the port, the CA that their enrolment pinned, and a certificate with time left. */
export async function checkHandsetPort({
  handsetUrl,
  caFingerprint,
}: Installation): Promise<{ isGood: boolean; detail: string }> {
  const certificate = await certificateOf(new URL(handsetUrl));
  const issuer = certificate.issuerCertificate.fingerprint256.replaceAll(':', '').toLowerCase();
  if (issuer !== caFingerprint) return { isGood: false, detail: `${handsetUrl} shows a certificate of another CA` };
  const restMs = Date.parse(certificate.valid_to) - Date.now();
  return {
    isGood: restMs > REST_MS,
    detail: `${handsetUrl}, certificate good for ${Math.floor(restMs / 86_400_000)} days`,
  };
}

function certificateOf({ hostname, port }: URL): Promise<DetailedPeerCertificate> {
  return new Promise((resolve, reject) => {
    // Its issuer is what is looked at here; the names in it are for the name that handsets use.
    const options = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port), rejectUnauthorized: false };
    const socket = connect(options, () => {
      resolve(socket.getPeerCertificate(true));
      socket.destroy();
    });
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`${hostname}:${port} does not answer`)));
    socket.once('error', reject);
  });
}
