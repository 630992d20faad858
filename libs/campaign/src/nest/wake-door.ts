import { request as overHttp } from 'node:http';
import { request as overHttps } from 'node:https';
import { isLinkLocal, SIGNATURE_HEADER, signatureOf } from '../wake.js';
import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';

const TIMEOUT_MS = 5_000;

/** Names are looked at when they have been resolved, so that none can point elsewhere afterwards. */
const lookupElsewhere: LookupFunction = (host, options, done) =>
  lookup(host, options, (error, address, family) => {
    const found = typeof address === 'string' ? [address] : (address ?? []).map((each) => each.address);
    if (error === null && found.some(isLinkLocal)) done(new Error(`${host} is link-local`), address, family);
    else done(error, address, family);
  });

/**
 * Posts one signed message. Redirects are not followed, the answer's body is not read, and it has five seconds.
 * @returns whether it was taken: a status of 2xx
 */
export function postSigned(
  target: { url: string; secret: string },
  body: string,
  { now, signal }: { now: number; signal?: AbortSignal },
): Promise<boolean> {
  const url = new URL(target.url);
  const headers = {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    [SIGNATURE_HEADER]: signatureOf(target.secret, body, now),
  };
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  const options = {
    method: 'POST',
    headers,
    agent: false,
    lookup: lookupElsewhere,
    signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
  } as const;
  return new Promise((done) => {
    const send = url.protocol === 'https:' ? overHttps : overHttp;
    const request = send(url, options, (answer) => {
      const { statusCode = 0 } = answer;
      answer.on('error', () => undefined);
      request.on('error', () => undefined);
      answer.destroy();
      done(statusCode >= 200 && statusCode < 300);
    });
    request.on('error', () => done(false));
    request.end(body);
  });
}
