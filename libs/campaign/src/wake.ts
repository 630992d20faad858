import { createHmac } from 'node:crypto';
import { isIP } from 'node:net';
import { refusal } from './errors.js';

/** Where a channel's wakes go: a gateway that reaches its devices, and so often at most. */
export interface WakeTarget {
  url: string;
  /** Messages a minute; so many may go at once, too. */
  perMinute: number;
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** An address that messages may go to: https, or http to this machine. @throws CampaignError `wake.url` naming the field */
export function checkWakeUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const wrong =
    url === undefined
      ? 'must be a URL'
      : url.username !== '' || url.password !== ''
        ? 'must hold no user or password'
        : url.protocol !== 'https:' && !(url.protocol === 'http:' && LOOPBACK.test(url.hostname))
          ? 'must be https, or http to this machine'
          : isLinkLocal(url.hostname)
            ? 'must not be link-local'
            : undefined;
  if (url === undefined || wrong !== undefined) throw refusal('wake.url', '/url', wrong ?? 'must be a URL');
  return url;
}

/** Where clouds keep the credentials of their machines. */
export function isLinkLocal(host: string): boolean {
  const address = host.replace(/^\[|\]$/g, '').toLowerCase();
  return isIP(address) !== 0 && /^(169\.254\.|fe[89ab][0-9a-f]:|::ffff:(169\.254\.|a9fe:))/.test(address);
}

/** All that a wake says: that this device should poll, and nothing of why. */
export const wakeBody = (deviceId: string): string => JSON.stringify({ message: 'poll now', deviceId });

export const SIGNATURE_HEADER = 'muster-signature';

/** `t=<seconds since 1970>,v1=<hex>`: HMAC-SHA256 of `<t>.<body>`. Who checks it refuses what is older than a few minutes. */
export const signatureOf = (secret: string, body: string, now: number): string => {
  const t = Math.floor(now / 1000);
  return `t=${t},v1=${createHmac('sha256', secret).update(`${t}.${body}`).digest('hex')}`;
};

export interface Bucket {
  /** Messages that may go now. */
  credit: number;
  /** When it was counted, ms. */
  at: number;
}

/** As many of `wanted` as may go now, and what is left: it fills by `perMinute`, to so many at most. */
export function takeTokens(
  { credit, at }: Bucket,
  perMinute: number,
  wanted: number,
  now: number,
): Bucket & { taken: number } {
  const filled = Math.min(perMinute, credit + (Math.max(0, now - at) / 60_000) * perMinute);
  const taken = Math.min(wanted, Math.floor(filled));
  return { credit: filled - taken, at: Math.max(at, now), taken };
}
