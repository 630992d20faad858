import { exportJWK, generateKeyPair, type JSONWebKeySet, type JWK } from 'jose';
import { beforeEach, expect, it } from 'vitest';
import { GRANT_SCHEME } from '#device-protocol/index.js';
import { requestHash, signGrant } from '../grants.js';
import type { ChannelKeys } from './channel-keys.js';
import { GrantOffice } from './grant-office.js';
import type { ChannelTransactions } from './in-channel.js';

const NOW = 1_000_000;
const bearer = { tenant: 'acme', channel: 'main', deviceId: 'd1', contentId: 'c1' };
const claims = {
  tenant: 'acme',
  sub: 'd1',
  content: 'c1',
  campaign: 'k1',
  req: requestHash('d1', 'c1', 'k1'),
  exp: NOW / 1000 + 60,
} as Parameters<typeof signGrant>[0];

async function newKey(kid: string): Promise<{ secret: JWK; open: JWK }> {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { extractable: true });
  return { secret: { ...(await exportJWK(privateKey)), kid }, open: { ...(await exportJWK(publicKey)), kid } };
}

let published: JSONWebKeySet;
let reads: number;
let office: GrantOffice;
beforeEach(() => {
  reads = 0;
  published = { keys: [] };
  const keys = {
    grantKeySet: async () => {
      reads += 1;
      return published;
    },
    grantSecret: async () => ({}),
  };
  const transactions = { read: (_tenant: string, _channel: string, work: (at: unknown) => unknown) => work({}) };
  office = new GrantOffice(keys as unknown as ChannelKeys, transactions as unknown as ChannelTransactions, {
    now: () => NOW,
  });
});

const verify = async (secret: JWK) => office.verify(`${GRANT_SCHEME} ${await signGrant(claims, secret)}`, bearer);

it('takes grants of a key that another process has rotated to a moment ago, all those that come at once', async () => {
  const [before, after] = [await newKey('1'), await newKey('2')];
  published = { keys: [before.open] };
  await verify(before.secret);
  published = { keys: [after.open, before.open] };
  const both = await Promise.all([verify(after.secret), verify(after.secret), verify(before.secret)]);
  expect(both.map(({ sub }) => sub)).toEqual(['d1', 'd1', 'd1']);
  expect(reads).toBe(2);
});

it('reads the keys anew for made-up key ids once a second at most', async () => {
  published = { keys: [(await newKey('1')).open] };
  const foreign = await newKey('made up');
  for (let n = 0; n < 5; n += 1)
    await expect(verify(foreign.secret)).rejects.toMatchObject({ code: 'grant.malformed' });
  expect(reads).toBe(2);
});
