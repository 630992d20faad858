/** SCP03 scripts prepared: by libs/globalplatform, and as one would with node:crypto, a cipher object for each use. */
import { createCipheriv } from 'node:crypto';
import { deriveAhead, prepareScript } from '#globalplatform/index.js';
import { serve } from './child.mjs';

const DATA_BYTES = 256;
const AID = Buffer.from('a0000005591010ffffffff890000f100', 'hex');
const KEYSETS = 512;

/** Numbers after one another, as good as any for what AES costs; each subscription has keys of its own. */
const bytesOf = (length, seed) => Uint8Array.from({ length }, (_, i) => (seed * 131 + i * 17 + (seed >> 8)) & 0xff);

const orders = (commands) =>
  Array.from({ length: KEYSETS }, (_, n) => ({
    keyset: { enc: bytesOf(16, n), mac: bytesOf(16, n + 7_000) },
    aid: AID,
    sequenceCounter: 1,
    hostChallenge: bytesOf(8, n + 90_000),
    macBytes: 8,
    keyVersion: 0x30,
    option: 0x70,
    level: 0x33,
    commands: Array.from({ length: commands }, (_, i) => ({
      cla: 0x80,
      ins: 0xe2,
      p1: i === commands - 1 ? 0x88 : 0x08,
      p2: i,
      data: bytesOf(DATA_BYTES, n + i),
      isExtended: true,
    })),
  }));

const ZERO = Buffer.alloc(16);
const cbc = (key, iv, data) => createCipheriv('aes-128-cbc', key, iv).setAutoPadding(false).update(data);
const ecb = (key, data) => createCipheriv('aes-128-ecb', key, null).setAutoPadding(false).update(data);

function doubled(block) {
  const out = Buffer.alloc(16);
  for (let i = 0; i < 16; i += 1) out[i] = (block[i] << 1) | ((block[i + 1] ?? 0) >> 7);
  out[15] ^= 0x87 & -(block[0] >> 7);
  return out;
}

/** RFC 4493 with two cipher objects, as it is usually written for node:crypto. */
function cmac(key, message) {
  const k1 = doubled(ecb(key, ZERO));
  const isWhole = message.length > 0 && message.length % 16 === 0;
  const ready = Buffer.alloc(Math.max(1, Math.ceil(message.length / 16)) * 16);
  message.copy(ready);
  if (!isWhole) ready[message.length] = 0x80;
  const subkey = isWhole ? k1 : doubled(k1);
  for (let i = 0; i < 16; i += 1) ready[ready.length - 16 + i] ^= subkey[i];
  return cbc(key, ZERO, ready).subarray(-16);
}

function derive(key, purpose, context, bits) {
  const block = Buffer.alloc(16);
  block[11] = purpose;
  block.writeUInt16BE(bits, 13);
  block[15] = 1;
  return cmac(key, Buffer.concat([block, context])).subarray(0, bits / 8);
}

function oneShotSession({ keyset, aid, hostChallenge }) {
  const challenge = derive(keyset.enc, 0x02, Buffer.concat([Buffer.from([0, 0, 1]), aid]), 64);
  const context = Buffer.concat([hostChallenge, challenge]);
  const enc = derive(keyset.enc, 0x04, context, 128);
  const mac = derive(keyset.mac, 0x06, context, 128);
  const rmac = derive(keyset.mac, 0x07, context, 128);
  return { enc, mac, rmac, context };
}

function oneShot(order) {
  const { enc, mac, rmac, context } = oneShotSession(order);
  derive(mac, 0x00, context, 64);
  const cryptogram = derive(mac, 0x01, context, 64);
  const head = Buffer.from([0x84, 0x82, order.level, 0, 16]);
  let chain = cmac(mac, Buffer.concat([ZERO, head, cryptogram]));
  const first = Buffer.concat([head, cryptogram, chain.subarray(0, 8)]);
  const commands = order.commands.map(({ cla, ins, p1, p2, data }, i) => {
    const counter = Buffer.alloc(16);
    counter.writeUInt32BE(i + 1, 12);
    const padded = Buffer.alloc((Math.floor(data.length / 16) + 1) * 16);
    padded.set(data);
    padded[data.length] = 0x80;
    const body = cbc(enc, ecb(enc, counter), padded);
    const lc = body.length + 8;
    const header = Buffer.from([cla | 4, ins, p1, p2, 0, lc >> 8, lc]);
    chain = cmac(mac, Buffer.concat([chain, header, body]));
    const answer = cmac(rmac, Buffer.concat([chain, Buffer.from([0x90, 0])])).subarray(0, 8);
    return { bytes: Buffer.concat([header, body, chain.subarray(0, 8)]), answer };
  });
  return { first, commands };
}

/** Both are to make the same, or they are not worth comparing. */
function compare(order) {
  const [ours, theirs] = [prepareScript(order), oneShot(order)];
  const isSame =
    theirs.first.equals(ours.externalAuthenticate) &&
    theirs.commands.every(
      ({ bytes, answer }, i) => bytes.equals(ours.commands[i]) && answer.equals(ours.emptyAnswerMacs[i]),
    );
  if (!isSame) throw new Error('the two differ');
}

/** So that a run takes about a second, and a tick of the CPU's clock is little. */
function measured(made, once, microseconds) {
  const count = Math.max(KEYSETS, Math.round(1_000_000 / microseconds));
  const warmUp = Math.min(count, 4_000);
  for (let i = 0; i < warmUp; i += 1) once(made[i % KEYSETS]);
  return {
    work: async () => {
      for (let i = 0; i < count; i += 1) once(made[i % KEYSETS]);
      return count;
    },
  };
}

const made = (commands) => {
  const all = orders(commands);
  all.slice(0, 16).forEach(compare);
  return all;
};

serve({
  prepared: async ({ commands }) => measured(made(commands), prepareScript, 20 + 2.5 * commands),
  'one-shot': async ({ commands }) => measured(made(commands), oneShot, 40 + 15 * commands),
  derived: async ({ commands }) => measured(made(commands), deriveAhead, 15),
  'derived, one-shot': async ({ commands }) => measured(made(commands), oneShotSession, 25),
});
