import { createHmac } from 'node:crypto';

export const SIGNATURE_HEADER = 'muster-signature';

/** `t=<seconds since 1970>,v1=<hex>`: HMAC-SHA256 of `<t>.<body>`. Who checks it refuses what is older than a few minutes. */
export const signatureOf = (secret: string, body: string, now: number): string => {
  const t = Math.floor(now / 1000);
  return `t=${t},v1=${createHmac('sha256', secret).update(`${t}.${body}`).digest('hex')}`;
};
